package course

import (
	"fmt"
	"strings"
)

// What plsim writes into the README of a lab stands between these lines.
const (
	beginGenerated = "<!-- from lab.yaml, by plsim lab test --update -->"
	endGenerated   = "<!-- end -->"
)

// Readme returns the text of the lab's README, with the facts and the drawing of the lab
// as they are now. picture is Mermaid's.
func (l *Lab) Readme(text, picture string) (string, error) {
	before, rest, begun := strings.Cut(text, beginGenerated+"\n")
	_, after, ended := strings.Cut(rest, endGenerated)
	if !begun || !ended {
		return "", fmt.Errorf("%s of %s lacks the lines %q and %q, between which plsim writes the facts and the drawing", ReadmeName, l.Name, beginGenerated, endGenerated)
	}
	var b strings.Builder
	b.WriteString(before + beginGenerated + "\n\n")
	b.WriteString("| | |\n|---|---|\n")
	fmt.Fprintf(&b, "| Level | %s |\n", l.Lesson.Level)
	fmt.Fprintf(&b, "| Time | %d minutes |\n", l.Lesson.Minutes)
	fmt.Fprintf(&b, "| Before it | %s |\n", orNothing(strings.Join(l.Lesson.Prerequisites, "; ")))
	fmt.Fprintf(&b, "| Checkpoints | %d |\n", len(l.Lesson.Checkpoints))
	fmt.Fprintf(&b, "| Runs | %s |\n", strings.Join(l.Modes(), ", "))
	if len(l.loaded.Scenario.Requires) > 0 {
		fmt.Fprintf(&b, "| Programs | %s |\n", strings.Join(l.loaded.Scenario.Requires, ", "))
	}
	b.WriteString("\n```mermaid\n" + strings.TrimSpace(picture) + "\n```\n\n")
	b.WriteString(endGenerated + after)
	return b.String(), nil
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// Modes returns how the lab can be made real.
func (l *Lab) Modes() []string {
	if l.Simulates() {
		return []string{"emulate", "simulate"}
	}
	return []string{"emulate"}
}
