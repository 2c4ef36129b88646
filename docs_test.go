package plsim_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns the paths of the documents that people read.
func documents(t *testing.T) []string {
	var docs []string
	for _, f := range repository(t).files {
		if strings.HasSuffix(f, ".md") && !strings.Contains(f, "testdata/") {
			docs = append(docs, f)
		}
	}
	return docs
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks wants every relative link of the documents to lead to a file, and
// to a heading where it names one.
func TestLinks(t *testing.T) {
	for _, doc := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(prose(read(t, doc)), -1) {
			if regexp.MustCompile(`^[a-z]+:`).MatchString(m[1]) {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			if file == "" {
				file = doc
			} else {
				file = path.Join(path.Dir(doc), file)
			}
			if !exists(t, file) {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			} else if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", doc, m[1])
			}
		}
	}
}

// exists reports whether name is a file of the repository, or a directory with one.
func exists(t *testing.T, name string) bool {
	return slices.ContainsFunc(repository(t).files, func(f string) bool {
		return f == name || strings.HasPrefix(f, name+"/")
	})
}

// anchors returns the names that a page's headings have as targets of links.
func anchors(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(prose(text), -1) {
		name := strings.ToLower(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(m[1], ""))
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// prose returns text without its blocks of code.
func prose(text string) string { return fence.ReplaceAllString(text, "") }

// commands returns the command lines of a document: in its console blocks what
// follows the prompt "$ ", in its sh blocks every line that is no comment.
func commands(text string) []string {
	var lines []string
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", " ")) {
			line, _, _ = strings.Cut(line, " # ")
			line, prompt := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if m[1] == "console" && prompt || m[1] == "sh" && line != "" && line[0] != '#' {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
		}
	}
	return lines
}

// elsewhere are documented commands that no test runs word for word.
var elsewhere = map[string]string{
	"git clone https://github.com/plsim/plsim": "a checkout is where tests start",
	"cd plsim":                        "likewise",
	"make":                            "the target build",
	"make install":                    "man.txtar runs it, below a directory of its own",
	"make priv":                       ".ci/run sets what it sets, for make test",
	"make fuzz":                       "the seeds of every fuzz test run with make test",
	"make bench":                      ".ci/run runs each benchmark once",
	"make bench-floors":               "what it measures, the benchmarks and make bench-peers do, too",
	"plsim run conformance":           "make conformance, from the binary",
	"plsim run scenarios/conformance": "make conformance",
	"plsim flowlogs kept --follow":    "flowlogs.txtar follows another file",
	"diff -r first second":            "TestSimulated compares all that two runs keep",

	"plsim capture -w - | wireshark -k -i -": "Wireshark wants a screen; TestCaptureAbandoned and tcpdump read the same",
	"make bench-peers":                       ".ci/run gives it less time",
	"make check":                             "its parts are run one by one",
	"plsim lab status --watch":               "lab.txtar reads the first pages of it",
	"cd 01-one-request":                      "lab.txtar does, with another command",
}

// TestCommands wants each command line of the documents to be run somewhere: by
// .ci/run, or, where it is plsim's own, by a script of cmd/plsim.
func TestCommands(t *testing.T) {
	run := map[string]bool{}
	for line := range strings.Lines(read(t, ".ci/run")) {
		run[strings.TrimSpace(line)] = true
	}
	for _, f := range repository(t).files {
		if !strings.HasPrefix(f, "cmd/plsim/testdata/script/") {
			continue
		}
		for line := range strings.Lines(read(t, f)) {
			// "! exec plsim …", "[privileged] exec plsim …"
			if _, command, ok := strings.Cut(strings.TrimSpace(line), "exec plsim "); ok {
				run["plsim "+strings.TrimSuffix(command, " &")] = true
			}
		}
	}
	for _, doc := range documents(t) {
		if strings.HasPrefix(doc, "scenarios/") {
			continue // TestLabReadmes of cmd/plsim runs those of teaching labs, in their labs
		}
		for _, c := range commands(read(t, doc)) {
			plain := strings.TrimPrefix(strings.TrimPrefix(c, "sudo "), "./")
			if !run[plain] && elsewhere[plain] == "" {
				t.Errorf("%s: nothing runs %q", doc, c)
			}
		}
	}
}

// sections are the numbered facts about AWS, by section: how many each has.
// F2.22a is one more.
var sections = [...]int{1: 56, 2: 69, 3: 23, 4: 25, 5: 11}

// facts returns every fact there is, in order.
func facts() []string {
	var all []string
	for section, n := range sections {
		for i := 1; i <= n; i++ {
			all = append(all, fmt.Sprintf("F%d.%d", section, i))
			if section == 2 && i == 22 {
				all = append(all, "F2.22a")
			}
		}
	}
	return all
}

var fact = regexp.MustCompile(`\bF\d+\.\d+[a-z]?\b`)

func TestFactsExist(t *testing.T) {
	known := facts()
	if len(known) != 185 {
		t.Fatalf("%d facts, want 185", len(known))
	}
	for _, f := range repository(t).files {
		if !matches(`.*\.(go|md|yaml|txt|txtar)|.*/testdata/.*`, f) {
			continue
		}
		for _, cited := range fact.FindAllString(read(t, f), -1) {
			if !slices.Contains(known, cited) {
				t.Errorf("%s cites %s, which is no fact", f, cited)
			}
		}
	}
}
