package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                        "plain",
		".TH\n'sh' x\nthe end.":        `\&.TH` + "\n" + `\&\(aqsh\(aq x` + "\nthe end.",
		`a\b --seed ^C ~/x "q" ` + "`": `a\eb \-\-seed \(haC \(ti/x \(dqq\(dq \(ga`,
		"0 ok · 1 …":                   `0 ok \[u00B7] 1 \[u2026]`,
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) is %q, want %q", text, got, want)
		}
	}
}

// The page of each command has all its flags, and those below.
func TestManPages(t *testing.T) {
	everyCommand(rootCommand(), func(c *cobra.Command) {
		page := manPage(c)
		for line := range strings.Lines(help(c)) {
			flag, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
			if flag, _, _ = strings.Cut(flag, " "); ok && !strings.Contains(page, `\fB\-\-`+roff(flag)+`\fR`) {
				t.Errorf("%s.1 has no --%s", manName(c), flag)
			}
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"} {
			if !strings.Contains(page, "\n.SH "+section+"\n") {
				t.Errorf("%s.1 has no %s", manName(c), section)
			}
		}
		for _, below := range manChildren(c) {
			if !strings.Contains(page, ".BR "+roff(manName(below))+" (1)") {
				t.Errorf("%s.1 does not name %s", manName(c), manName(below))
			}
		}
	})
}
