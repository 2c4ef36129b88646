package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Lesson makes a scenario a teaching lab: what its students are to bring about, how
// that is judged, and what helps them on.
type Lesson struct {
	Title         string   `yaml:"title" doc:"What the lab is about, in a few words."`
	Level         string   `yaml:"level" doc:"first steps, easy, medium or hard."`
	Minutes       int      `yaml:"minutes" doc:"How long it takes, 5 to 240."`
	Prerequisites []string `yaml:"prerequisites,omitempty" doc:"What students should know or have done, each in a few words."`

	Checkpoints []*Checkpoint `yaml:"checkpoints" doc:"What is to be brought about, in order."`
}

// Checkpoint is one thing that the students of a lesson bring about.
type Checkpoint struct {
	Name        string      `yaml:"name" doc:"Lower-case name, for plsim lab reset --to."`
	Task        string      `yaml:"task" doc:"What is to be brought about, in a sentence."`
	Hints       []string    `yaml:"hints" doc:"What helps, one at a time, from a nudge to nearly all."`
	Checks      []*Step     `yaml:"checks" doc:"Steps that pass once it has been brought about, and not before; each says with wrong what its failure means."`
	Explanation string      `yaml:"explanation" doc:"Why it is so, in a sentence or two: for those who have done it."`
	Edit        []*FileEdit `yaml:"edit,omitempty" doc:"The reference solution, where it is a change of the file."`
	Solution    []*Step     `yaml:"solution,omitempty" doc:"The reference solution, where it is something done in the lab; after the edits of the file, where there are both."`
}

// FileEdit is a change of the text of a scenario.
type FileEdit struct {
	Replace string `yaml:"replace,omitempty" doc:"Whole lines of the file, which stand there once; what they are indented by beyond this, the new ones are, too. Default: nothing, and the new lines go to the end of the file."`
	With    string `yaml:"with" doc:"What stands there instead."`
}

// levels are what Lesson.Level can be.
var levels = []string{"first steps", "easy", "medium", "hard"}

const lessonKey = "lesson"

// Start returns the text of a scenario without its lesson: what students begin with.
func (l *Loaded) Start() string { return l.Source.without(lessonKey) }

// without returns the text without a key that begins a line at the top, and without
// the comment right above that.
func (s *Source) without(key string) string {
	at, ok := s.at[key]
	if !ok {
		return strings.Join(s.lines, "\n")
	}
	first := at.Line - 1
	for first > 0 && strings.HasPrefix(s.lines[first-1], "#") {
		first--
	}
	last := at.Line
	for last < len(s.lines) && (s.lines[last] == "" || strings.ContainsAny(s.lines[last][:1], " \t-#\r")) {
		last++
	}
	kept := strings.Join(slices.Concat(s.lines[:first], s.lines[last:]), "\n")
	return strings.TrimRight(kept, "\n") + "\n"
}

// Apply returns the text of a scenario with the edits of the reference solution.
func (c *Checkpoint) Apply(text string) (string, error) {
	for i, e := range c.Edit {
		with := textLines(e.With)
		if e.Replace == "" {
			text += "\n" + strings.Join(with, "\n") + "\n"
			continue
		}
		lines, old := strings.Split(text, "\n"), textLines(e.Replace)
		var found []int
		for at := range lines {
			if _, ok := standsAt(lines[at:], old); ok {
				found = append(found, at)
			}
		}
		if len(found) != 1 {
			return "", fmt.Errorf("the lines that edit %d replaces stand %d times in the file: they have to stand there once", i+1, len(found))
		}
		at := found[0]
		margin, _ := standsAt(lines[at:], old)
		for i, line := range with {
			if line != "" {
				with[i] = margin + line
			}
		}
		text = strings.Join(slices.Concat(lines[:at], with, lines[at+len(old):]), "\n")
	}
	return text, nil
}

// textLines returns the lines of a text without an empty one at its end.
func textLines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// standsAt reports whether lines begin with others, all of them behind the same margin.
func standsAt(lines, others []string) (margin string, ok bool) {
	if len(lines) < len(others) {
		return "", false
	}
	margin, ok = strings.CutSuffix(lines[0], others[0])
	if !ok || strings.Trim(margin, " ") != "" {
		return "", false
	}
	for i, other := range others {
		if lines[i] != margin+other && lines[i]+other != "" {
			return "", false
		}
	}
	return margin, true
}

// lesson checks a lesson, and tries out its reference solution beside the story.
func (c *checker) lesson(s *Scenario) {
	l := s.Lesson
	if l == nil {
		return
	}
	if c.src.at[lessonKey].Column != 1 {
		c.wrong(lessonKey, "must begin a line of its own, since students get the file without it")
	}
	if p := join(lessonKey, "level"); !slices.Contains(levels, l.Level) {
		c.wrong(p, "%q is no level%s", l.Level, hint(l.Level, levels))
	}
	if p := join(lessonKey, "minutes"); !c.broken[p] {
		c.within(p, l.Minutes, 5, 240)
	}
	if len(l.Checkpoints) == 0 {
		c.wrong(join(lessonKey, "checkpoints"), "a lesson has at least one checkpoint")
	}
	text := c.src.without(lessonKey)
	var names []string
	var done []rehearsed
	for i, step := range s.Steps {
		done = append(done, rehearsed{item("steps", i), step})
	}
	for i, cp := range l.Checkpoints {
		path := item(join(lessonKey, "checkpoints"), i)
		c.checkpoint(path, cp)
		if slices.Contains(names, cp.Name) {
			c.wrong(join(path, "name"), "another checkpoint is named %s", cp.Name)
		}
		names = append(names, cp.Name)
		if len(cp.Edit) > 0 {
			text = c.edited(join(path, "edit"), cp, text)
			for _, d := range done {
				c.rehearse(d.path, d.step)
			}
		}
		solution, checks := join(path, "solution"), join(path, "checks")
		c.steps(solution, cp.Solution)
		c.steps(checks, cp.Checks)
		for i, step := range cp.Solution {
			done = append(done, rehearsed{item(solution, i), step})
		}
	}
}

// rehearsed is a step that has been taken in the rehearsal.
type rehearsed struct {
	path string
	step *Step
}

// checkpoint checks what a checkpoint says.
func (c *checker) checkpoint(path string, cp *Checkpoint) {
	if p := join(path, "name"); !nameForm.MatchString(cp.Name) {
		c.wrong(p, "%q is not a name: use lower-case letters, digits and -", cp.Name)
	}
	if len(cp.Hints) == 0 {
		c.wrong(join(path, "hints"), "give at least one hint")
	}
	if len(cp.Checks) == 0 {
		c.wrong(join(path, "checks"), "give at least one check: without one, nobody can tell whether it has been brought about")
	}
	if len(cp.Edit) == 0 && len(cp.Solution) == 0 && !c.brokenBelow(path) {
		c.wrong(path, "give the reference solution: steps below solution, or edits of the file below edit")
	}
	for i, step := range cp.Checks {
		at := item(join(path, "checks"), i)
		if step.Wrong == "" {
			c.wrong(at, "a check needs wrong: what its failure means, in a sentence for the student")
		}
		if action := step.Action(); edits[action] != nil || slices.Contains([]string{"fail", "heal", "restart_forwarder"}, action) {
			c.wrong(join(at, action), "a check looks at the lab and changes nothing")
		}
	}
}

// edited goes on with the lab of the edited file, and returns its text.
func (c *checker) edited(path string, cp *Checkpoint, text string) string {
	after, err := cp.Apply(text)
	if err != nil {
		c.wrong(path, "%v", err)
		return text
	}
	l, err := LoadBytes("lab.yaml", []byte(after))
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.wrong(path, "the file is wrong after this edit: %s", first)
		return text
	}
	c.lab, c.names, c.now = rehearsal("lab.yaml", []byte(after), l.Lab), namesOf(&l.Scenario.Spec), 0
	return after
}
