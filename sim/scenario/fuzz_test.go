package scenario_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

// No text makes the parser panic; what it refuses it places in the file, and what
// it accepts it can print, and reads back the same.
func FuzzParse(f *testing.F) {
	quickstart, err := os.ReadFile("../../scenarios/quickstart.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(quickstart), lab, positions, "", "\ufeff", "\t", "a: b: c", "name: [x", "? [a]\n: b", "%YAML 1.2\n---\nname: x\nvpcs:\n...\n",
		"name: x\nvpcs: { a: &v { cidr_block: [::/0] }, b: { <<: *v } }\nsteps: [{ wait: 010 }, { drops: }]\n",
		"name: x\nvpcs:\nsteps: [{ exec: { in: i, command: [a] }, expect: { stdout: { not: { matches: \"\\x00\" } } } }]\n",
		"name: &x x\nvpcs: {}\ndescription: *x\n", "name: !!str x\nvpcs: ~", "name: >-\n  a\n\n  b\nvpcs:\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, _, err := scenario.Parse("f", data)
		if err != nil {
			var mistakes scenario.Mistakes
			if !errors.As(err, &mistakes) || len(mistakes) == 0 {
				t.Fatalf("%v is no Mistakes", err)
			}
			lines := bytes.Count(data, []byte("\n")) + 1
			for _, m := range mistakes {
				if m.Line < 1 || m.Line > lines || m.Column < 1 || m.Msg == "" {
					t.Errorf("%+v is not in the file of %d lines", m, lines)
				}
			}
			_ = mistakes.Excerpt()
			return
		}
		text := printed(t, s)
		again, _, err := scenario.Parse("f", []byte(text))
		if err != nil {
			t.Fatalf("what was printed does not parse: %v\n%s", err, text)
		}
		if !reflect.DeepEqual(printed(t, again), text) {
			t.Errorf("printed\n%s\nand then\n%s", text, printed(t, again))
		}
	})
}

// The whole of Load never panics either.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(lab))
	f.Add([]byte("steps: [{ request: { from: client, url: \"http://${vpc_endpoint.api.dns_name}:0/\" }, expect: { status: { matches: \"${\" } } }]\n" + lab))
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := scenario.LoadBytes("f", data)
		if (loaded == nil) != (err != nil) {
			t.Errorf("loaded %v with the error %v", loaded, err)
		}
	})
}
