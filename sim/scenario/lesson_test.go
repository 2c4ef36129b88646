package scenario

import (
	"strings"
	"testing"
)

func TestEdits(t *testing.T) {
	const file = "a:\n  b: 1\n  c: 2\n\nd:\n  b: 1\n"
	cases := []struct{ replace, with, want string }{
		{"c: 2\n", "c: 3\ne: 4\n", "a:\n  b: 1\n  c: 3\n  e: 4\n\nd:\n  b: 1\n"},
		{"b: 1\nc: 2\n", "b: 1\n", "a:\n  b: 1\n\nd:\n  b: 1\n"},
		{"  c: 2\n\nd:", "d:", "a:\n  b: 1\nd:\n  b: 1\n"},
		{"", "f: 5\n", file + "\nf: 5\n"},
		{"b: 1\n", "b: 2\n", "!stand 2 times"},
		{"b: 9\n", "b: 2\n", "!stand 0 times"},
		{"b: 1\n  c: 2", "", "!stand 0 times"},
		{strings.Repeat("x\n", 99), "", "!stand 0 times"},
	}
	for _, c := range cases {
		got, err := (&Checkpoint{Edit: []*FileEdit{{c.replace, c.with}}}).Apply(file)
		if want, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q, %v; want %s", c.replace, got, err, want)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", c.replace, got, err, want)
		}
	}
}

// A lesson may stand anywhere at the top, and students get all but it.
func TestWithoutLesson(t *testing.T) {
	const rest = "name: x\nvpcs: {}\n"
	for _, text := range []string{
		"name: x\n# For teachers.\nlesson:\n  title: t\n\n  # inner\n  level: easy\nvpcs: {}\n",
		"lesson: { title: t }\n" + rest,
		rest + "\n# For teachers.\n# And more.\nlesson:\n  checkpoints:\n  - name: a\n\n",
		rest + "lesson:\n- a\n- b\n",
		rest,
	} {
		_, src, _, _ := parse("x.yaml", []byte(text))
		if got := src.without(lessonKey); strings.TrimSpace(got) != strings.TrimSpace(rest) {
			t.Errorf("%q leaves %q", text, got)
		}
	}
}

// Each check and step of a solution, written out, is the same step again.
func TestStepYAML(t *testing.T) {
	const text = `name: "It is \"so\""
wrong: "No: it is not."
within: 5s
request: { from: app, url: "http://${instance.web.private_ip}/?a=b: c", headers: { X-A: "1" }, timeout: 500ms }
expect: { status: 200, json: { a.b: { one_of: [x, "2"] } }, body: { not: { contains: "{" } } }
`
	read := func(text string) *Step {
		s, _, err := Parse("x.yaml", []byte("name: x\nvpcs: {}\nsteps:\n  - "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")+"\n"))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return s.Steps[0]
	}
	first := read(text).YAML()
	if again := read(first).YAML(); again != first || !strings.Contains(first, "wrong:") {
		t.Errorf("%s\nagain\n%s", first, again)
	}
}
