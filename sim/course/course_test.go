package course

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/story"
)

// A lab with a step at its start, a checkpoint that a step reaches, one that undoes it, and
// one that an edit of the file reaches.
const doors = `# yaml-language-server: $schema=scenario.schema.json
name: doors
vpcs:
  shop:
    cidr_block: 10.0.0.0/16
    security_groups:
      web: { ingress: [] }
    instances:
      app: {}
      web: { vpc_security_group_ids: [web], services: [{ type: http, port: 80 }] }
steps:
  - name: The app meets silence
    request: { from: app, url: "http://${instance.web.private_ip}/", timeout: 100ms }
    expect: { error: timeout }
# Not for students.
lesson:
  title: Doors
  level: easy
  minutes: 5
  checkpoints:
    - name: open
      task: |
        The app
        is answered.
      hints: [Think., Think again.]
      checks:
        - request: { from: app, url: "http://${instance.web.private_ip}/", timeout: 100ms }
          wrong: The door is shut.
      explanation: So it is.
      solution: [{ authorize: { security_group_id: web, ingress: { protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] } } }]
    - name: shut
      task: The app is not answered.
      hints: [Shut it.]
      checks:
        - request: { from: app, url: "http://${instance.web.private_ip}/", timeout: 100ms }
          expect: { error: timeout }
          wrong: The door is open.
      explanation: So it is.
      solution: [{ revoke: { security_group_id: web, ingress: { protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] } } }]
    - name: more
      task: There is a printer.
      hints: [Build it.]
      checks:
        - ping: { from: printer, to: "${instance.app.private_ip}" }
          wrong: Nothing prints.
      explanation: So it is.
      edit:
        - replace: |
            app: {}
          with: |
            app: { vpc_security_group_ids: [default] }
            printer: {}
`

func simulated(ctx context.Context, l *scenario.Loaded, _ string) (World, error) {
	return simulate.Start(ctx, l.Lab, simulate.Options{Seed: 1})
}

func doorsLab(t testing.TB, text string) *Lab {
	t.Helper()
	l, err := Load(fstest.MapFS{FileName: {Data: []byte(text)}, "files/x.conf": {Data: []byte("x")}}, "07-doors", "doors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStudentsFile(t *testing.T) {
	l := doorsLab(t, doors)
	if strings.Contains(l.Start, "lesson") || strings.Contains(l.Start, "Not for students") || strings.Contains(l.Start, "$schema") {
		t.Errorf("students get %s", l.Start)
	}
	if !strings.HasPrefix(l.Start, "name: doors\n") || !strings.HasSuffix(l.Start, "expect: { error: timeout }\n") {
		t.Errorf("students get %s", l.Start)
	}
	solved, actions := l.Solved(3)
	if !strings.Contains(solved, "      app: { vpc_security_group_ids: [default] }\n      printer: {}\n      web: ") || len(actions) != 2 {
		t.Errorf("solved: %s\n%q", solved, actions)
	}
	if got := strings.Join(l.Modes(), " "); got != "emulate simulate" {
		t.Errorf("modes %s", got)
	}
	exec := doorsLab(t, strings.Replace(doors, "ping: { from: printer, to: \"${instance.app.private_ip}\" }", "exec: { in: printer, command: lpr }", 1))
	if exec.Simulates() {
		t.Error("a lab whose check runs a program simulates")
	}
}

func TestFind(t *testing.T) {
	all := []*Lab{{Name: "01-doors"}, {Name: "02-walls"}, {Name: "mine"}}
	for meant, want := range map[string]string{"1": "01-doors", "02": "02-walls", "doors": "01-doors", "02-walls": "02-walls", "mine": "mine"} {
		if l, err := Find(all, meant); err != nil || l.Name != want {
			t.Errorf("%s: %v, %v", meant, l, err)
		}
	}
	for meant, want := range map[string]string{"0": "there is no lab", "3": "there is no lab", "dors": "did you mean doors?", "": "there is no lab"} {
		if l, err := Find(all, meant); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", meant, l, err)
		}
	}
}

// A lab that is right, and such as are wrong.
func TestTest(t *testing.T) {
	cases := []struct{ name, old, with, want string }{
		{"right", "", "", ""},
		{"a step of the start fails", "expect: { error: timeout }\n# Not", "expect: { status: 200 }\n# Not", "step 1 of the file (The app meets silence) fails"},
		{"a check passes before", "wrong: The door is shut.", "expect: { error: { one_of: [none, timeout] } }\n          wrong: The door is shut.", "checkpoint open passes before its solution"},
		{"a solution does too little", "ingress: { protocol: tcp, from_port: 80,", "ingress: { protocol: tcp, from_port: 81,", "checkpoint open fails after its solution: The door is shut."},
		{"a step of a solution is refused", "solution: [{ revoke", "solution: [{ revoke: { security_group_id: default, ingress: { protocol: tcp, from_port: 1, cidr_blocks: [10.0.0.0/8] } } }, { revoke", "a step of the solution fails"},
		{"an edit does too little", "to: \"${instance.app.private_ip}\" }", "to: \"${instance.web.private_ip}\", timeout: 100ms }", "checkpoint more fails after its solution: Nothing prints."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := doorsLab(t, strings.Replace(doors, c.old, c.with, 1))
			problems, err := l.Test(t.Context(), simulated, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(problems, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("problems %q, want %q", got, c.want)
			}
		})
	}
	l := doorsLab(t, doors)
	problems, err := l.TestResets(t.Context(), simulated, "")
	if err != nil || len(problems) > 0 {
		t.Errorf("resets: %q, %v", problems, err)
	}
}

// A student's way: what is passed stays passed, also where a later checkpoint undoes it, and
// a grade finds it again.
func TestFolder(t *testing.T) {
	l := doorsLab(t, doors)
	dir := filepath.Join(t.TempDir(), "Übung", strings.Repeat("lang", 40))
	f, err := NewFolder(dir, l, l.Name, "simulate")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "files", "x.conf")); err != nil {
		t.Error(err)
	}
	if _, err := NewFolder(dir, l, l.Name, "simulate"); err == nil {
		t.Error("a second lab went into the same folder")
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	check := func(open int, wrong string) {
		t.Helper()
		var j Judgement
		failed, err := f.Play(t.Context(), simulated, func(st Stage) (err error) {
			j, err = f.Check(t.Context(), l, st, now)
			return err
		})
		if err != nil || len(failed) > 0 {
			t.Fatal(failed, err)
		}
		if f.Open(l) != open || j.Wrong != wrong || j.Passed != (wrong == "") {
			t.Errorf("checkpoint %d is open, %+v; want %d, %q", f.Open(l), j, open, wrong)
		}
		if err := f.Save(); err != nil {
			t.Fatal(err)
		}
		if f, err = OpenFolder(dir); err != nil {
			t.Fatal(err)
		}
	}
	check(0, "The door is shut.")
	for i, want := range []string{"Think.", "Think again.", "Think again."} {
		if name, hint, n, total := f.Hint(l); name != "open" || hint != want || n != min(i+1, 2) || total != 2 {
			t.Errorf("hint %d: %s, %q, %d of %d", i, name, hint, n, total)
		}
	}
	_, steps := l.Solved(3)
	f.Actions = append(f.Actions, steps[0])
	check(1, "The door is open.")
	f.Actions = append(f.Actions, "accept: nobody", steps[1]) // one of them is no step of this lab
	check(2, "Nothing prints.")

	grade := func(want ...Status) *Grade {
		t.Helper()
		g, err := f.Grade(t.Context(), l, simulated)
		if err != nil {
			t.Fatal(err)
		}
		passed := 0
		for i, m := range g.Checkpoints {
			if m.Status != want[i] {
				t.Errorf("checkpoint %s is %s, want %s", m.Checkpoint, m.Status, want[i])
			}
			if m.Status == Reached || m.Status == Noted {
				passed++
			}
		}
		if g.Passed != passed || g.Of != 3 {
			t.Errorf("%d of %d passed", g.Passed, g.Of)
		}
		return g
	}
	if g := grade(Reached, Reached, Missing); g.Hints != 2 || g.Checkpoints[2].Wrong != "Nothing prints." || g.Error != "" {
		t.Errorf("%+v", g)
	}
	// Without the steps, there are only their word and the solution's.
	actions := f.Actions
	f.Actions = nil
	grade(Noted, Reached, Missing)
	f.Actions = actions

	text, err := os.ReadFile(f.File())
	if err != nil {
		t.Fatal(err)
	}
	mine := append([]byte("# mine\n"), text...)
	if err := os.WriteFile(f.File(), mine, 0o644); err != nil {
		t.Fatal(err)
	}
	kept, err := f.SetSolved(l, 3, now)
	if err != nil || kept != "lab.mine-1.yaml" {
		t.Fatal(kept, err)
	}
	if again, err := os.ReadFile(filepath.Join(dir, kept)); err != nil || string(again) != string(mine) {
		t.Errorf("the student's file is %q, %v", again, err)
	}
	grade(Reached, Reached, Shown)
	if !f.Solved("more") || f.Solved("open") {
		t.Error("who has solved what is lost")
	}
	if _, err := f.SetSolved(l, 1, now); err != nil || f.Open(l) != 1 || len(f.Actions) != 1 {
		t.Errorf("after a reset, %d is open after %q, %v", f.Open(l), f.Actions, err)
	}
	if err := os.WriteFile(f.File(), []byte("name: x\nvpc: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if g := grade(Noted, Missing, Missing); !strings.Contains(g.Error, `unknown key "vpc"`) {
		t.Errorf("error %q", g.Error)
	}
}

// A fault of the world's ends all, and is no judgement.
func TestFault(t *testing.T) {
	l := doorsLab(t, doors)
	fault := errors.New("out of order")
	broken := func(ctx context.Context, s *scenario.Loaded, dir string) (World, error) {
		w, err := simulated(ctx, s, dir)
		return brokenWorld{w, fault}, err
	}
	if _, err := l.Test(t.Context(), broken, ""); !errors.Is(err, fault) {
		t.Errorf("Test: %v", err)
	}
	f, err := NewFolder(filepath.Join(t.TempDir(), "x"), l, l.Name, "simulate")
	if err != nil {
		t.Fatal(err)
	}
	if g, err := f.Grade(t.Context(), l, broken); err != nil || !strings.Contains(g.Error, fault.Error()) || g.Passed != 0 {
		t.Errorf("Grade: %+v, %v", g, err)
	}
}

type brokenWorld struct {
	World
	fault error
}

func (w brokenWorld) Request(context.Context, *scenario.Request) (story.Response, error) {
	return story.Response{}, w.fault
}

func TestReadme(t *testing.T) {
	l := doorsLab(t, doors)
	text, err := l.Readme("# Doors\n\n"+beginGenerated+"\nold\n"+endGenerated+"\n\nrest\n", "flowchart\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "# Doors\n\n" + beginGenerated + "\n\n| | |\n|---|---|\n| Level | easy |\n| Time | 5 minutes |\n| Before it | nothing |\n| Checkpoints | 3 |\n| Runs | emulate, simulate |\n\n" +
		"```mermaid\nflowchart\n```\n\n" + endGenerated + "\n\nrest\n"
	if text != want {
		t.Errorf("%s", text)
	}
	if again, err := l.Readme(text, "flowchart\n"); err != nil || again != text {
		t.Errorf("again: %v\n%s", err, again)
	}
	if _, err := l.Readme("# Doors\n", ""); err == nil {
		t.Error("a README without a place for the facts passes")
	}
}

// Whatever stands in a file of progress, plsim neither panics nor counts more than there is.
func FuzzProgress(f *testing.F) {
	for _, text := range []string{
		`{"plsim_progress":1,"lab":"07-doors","mode":"simulate"}`,
		`{"plsim_progress":1,"actions":["authorize: {","accept: x"],"passed":[{"checkpoint":"open","after":-7},{"checkpoint":"more","after":99,"solved":true}],"hints":{"open":-3,"shut":-5}}`,
		`{"plsim_progress":0}`, `[]`, ``,
	} {
		f.Add([]byte(text))
	}
	l := doorsLab(f, doors)
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(l.Start), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, ProgressName), text, 0o644); err != nil {
			t.Fatal(err)
		}
		folder, err := OpenFolder(dir)
		if err != nil {
			return
		}
		folder.Actions = folder.Actions[:min(len(folder.Actions), 5)]
		if _, hint, n, total := folder.Hint(l); n > total || n < 0 || total > 0 && hint == "" {
			t.Errorf("hint %d of %d: %q", n, total, hint)
		}
		g, err := folder.Grade(t.Context(), l, simulated)
		if err != nil {
			t.Fatal(err)
		}
		if g.Passed > g.Of || len(g.Checkpoints) != g.Of {
			t.Errorf("%+v", g)
		}
	})
}
