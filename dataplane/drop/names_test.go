package drop_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
)

func TestEveryReasonHasANameAndAnExplanation(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	names, whys := map[string]drop.Reason{}, map[string]drop.Reason{}
	for _, r := range append(drop.All(), drop.None) {
		name, why := r.String(), r.Explain()
		if !snake.MatchString(name) {
			t.Errorf("reason %d has the name %q, want snake_case", uint8(r), name)
		}
		if other, taken := names[name]; taken {
			t.Errorf("reasons %d and %d share the name %q", uint8(other), uint8(r), name)
		}
		names[name] = r
		if len(why) < 20 || !strings.HasSuffix(why, ".") || strings.Count(why, ". ") > 0 {
			t.Errorf("%v: %q is not one sentence", r, why)
		}
		if other, taken := whys[why]; taken {
			t.Errorf("%v and %v share an explanation", other, r)
		}
		whys[why] = r
		if back, ok := drop.Parse(name); !ok || back != r {
			t.Errorf("Parse(%q) = %v, %v", name, back, ok)
		}
	}
	if got, want := len(names), int(drop.NumReasons); got != want {
		t.Errorf("%d names for %d reasons", got, want)
	}
}

func TestUnknownReasons(t *testing.T) {
	if r, ok := drop.Parse("cosmic_rays"); ok {
		t.Errorf("Parse found %v for a name nobody gave", r)
	}
	if got := drop.NumReasons.String(); got != "unknown" {
		t.Errorf("a value that is no reason is called %q", got)
	}
	if got := drop.NumReasons.Explain(); got == "" {
		t.Error("a value that is no reason has no explanation")
	}
}
