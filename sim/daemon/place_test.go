package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// claim makes a lab of a name in the test's own directory.
func claim(t *testing.T, name string) *Claim {
	t.Helper()
	c, err := NewClaim(Info{Name: name, File: name + ".yaml", PID: os.Getpid(), Seed: 1, TimeScale: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// states returns the labs there are, each with its state.
func states(t *testing.T) string {
	t.Helper()
	all, err := List(Dir())
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, l := range all {
		words = append(words, l.Name+" "+l.State)
	}
	return strings.Join(words, ", ")
}

func inOwnDir(t *testing.T) {
	t.Helper()
	t.Setenv(dirVar, filepath.Join(t.TempDir(), "plsim"))
}

func TestClaim(t *testing.T) {
	inOwnDir(t)
	want := func(list string) {
		t.Helper()
		if got := states(t); got != list {
			t.Errorf("there is %q, want %q", got, list)
		}
	}
	want("")
	a := claim(t, "a")
	want("a starting")
	var taken *NameError
	if _, err := NewClaim(Info{Name: "a"}); !errors.As(err, &taken) || taken.Name != "a" {
		t.Errorf("the same name: %v", err)
	}
	lab, err := Inherit(a.Files())
	if err != nil {
		t.Fatal(err)
	}
	if lab.Info.Name != "a" || lab.Info.Seed != 1 {
		t.Errorf("inherited: %+v", lab.Info)
	}
	if err := lab.Ready(); err != nil {
		t.Fatal(err)
	}
	want("a running")
	b := claim(t, "b")
	want("a running, b starting")
	if err := b.Remove(); err != nil {
		t.Error(err)
	}
	want("a running")
	// What runs is not removed, what is dead is; and its place can be taken.
	all, _ := List(Dir())
	if err := all[0].Remove(); err == nil {
		t.Error("a lab that runs was removed")
	}
	a.Close()
	want("a dead")
	again := claim(t, "a")
	if !again.Revived {
		t.Error("it does not know that another one had died")
	}
	again.Close()
	if err := all[0].Remove(); err != nil {
		t.Error(err)
	}
	want("")
	if _, err := os.Stat(Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of labs: %v", err)
	}
}

// TestRemoveOwn has a lab that is late remove itself when another has its name.
func TestRemoveOwn(t *testing.T) {
	inOwnDir(t)
	late := claim(t, "a")
	if err := late.Remove(); err != nil {
		t.Fatal(err)
	}
	claim(t, "a")
	if err := late.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := states(t); got != "a starting" {
		t.Errorf("there is %q", got)
	}
}

// TestMark leaves alone what plsim has not made.
func TestMark(t *testing.T) {
	inOwnDir(t)
	for name, info := range map[string]string{
		"text": "hello", "unmarked": `{"name":"unmarked"}`, "renamed": `{"plsim_lab":1,"name":"other"}`, "list": "[1]",
		"dead": `{"plsim_lab":1,"name":"dead"}`, "killed-early": "",
	} {
		dir := filepath.Join(Dir(), name)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, infoName), []byte(info), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(Dir(), "nothing"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := states(t); got != "dead dead, killed-early dead" {
		t.Errorf("there is %q", got)
	}
	// A file that somebody has put beside a lab's stays, with the directory.
	own := filepath.Join(Dir(), "dead", "notes")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all, _ := List(Dir())
	if err := all[0].Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

func TestInheritNothing(t *testing.T) {
	if _, err := Inherit(nil); err == nil {
		t.Error("a lab without its files")
	}
}

func FuzzInfo(f *testing.F) {
	for _, s := range []string{"", "{}", `{"plsim_lab":1,"name":"x","ready":true}`, `{"name":1}`, "[", `{"plsim_lab":1e99}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := filepath.Join(t.TempDir(), "x")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, infoName), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if l, ok := look(dir); ok && (l.State != Dead || l.Name != "x") {
			t.Errorf("%+v", l)
		}
	})
}
