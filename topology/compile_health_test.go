package topology

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCompileHealth holds what is compiled and named after health checks against all of it
// anew, while the lab is edited between them and zones are lost.
func TestCompileHealth(t *testing.T) {
	texts := []string{twoAccounts, wholeLab}
	rapid.Check(t, func(t *rapid.T) {
		l := mustBuild(t, rapid.SampledFrom(texts).Draw(t, "lab"))
		program, names := l.Compile(), l.Names()
		edited := func() { program, names = l.Compile(), l.Names() }
		zone := func(t *rapid.T) string { return rapid.SampledFrom(l.subnets).Draw(t, "zone").zone.ID }
		target := func(t *rapid.T) (string, *Target) {
			p := rapid.SampledFrom(l.pools).Draw(t, "target group")
			if len(p.members) == 0 {
				t.Skip("it is empty")
			}
			target, err := ParseTarget(p.nameOf(rapid.SampledFrom(p.members).Draw(t, "target")))
			if err != nil {
				t.Fatal(err)
			}
			return p.name, target
		}
		edit := func(f func(t *rapid.T) error) func(t *rapid.T) {
			return func(t *rapid.T) {
				if err := f(t); err != nil {
					t.Skip(err)
				}
				edited()
			}
		}
		type registration struct {
			group  string
			target *Target
		}
		var gone []registration
		t.Repeat(map[string]func(*rapid.T){
			"check": func(t *rapid.T) {
				checks := l.Checks()
				if len(checks) == 0 {
					t.Skip("nothing is checked")
				}
				passed := rapid.Bool().Draw(t, "passed")
				of := rapid.SampledFrom(checks).Draw(t, "check")
				for range rapid.IntRange(1, 3).Draw(t, "times") {
					l.Checked(of, passed)
				}
				program, names = l.CompileHealth(program), l.NamesHealth(names)
				whole := l.Compile()
				if program.Epoch >= whole.Epoch {
					t.Fatalf("epoch %d, then %d", program.Epoch, whole.Epoch)
				}
				whole.Epoch = program.Epoch
				if !reflect.DeepEqual(program, whole) {
					t.Fatalf("after a check the program is\n%+v, anew it is\n%+v", program, whole)
				}
				if anew := l.Names(); !reflect.DeepEqual(names.public, anew.public) || !reflect.DeepEqual(names.own, anew.own) {
					t.Fatalf("after a check the names are\n%+v, anew they are\n%+v", names, anew)
				}
			},
			"lose":    edit(func(t *rapid.T) error { return l.LoseZone(zone(t)) }),
			"restore": edit(func(t *rapid.T) error { return l.RestoreZone(zone(t)) }),
			"deregister": edit(func(t *rapid.T) error {
				group, target := target(t)
				gone = append(gone, registration{group, target})
				return l.DeregisterTarget(group, target)
			}),
			"register": edit(func(t *rapid.T) error {
				if len(gone) == 0 {
					t.Skip("none is gone")
				}
				last := gone[len(gone)-1]
				gone = gone[:len(gone)-1]
				return l.RegisterTarget(last.group, last.target)
			}),
			"time": edit(func(t *rapid.T) error {
				l.Advance(l.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second))
				return nil
			}),
		})
	})
}
