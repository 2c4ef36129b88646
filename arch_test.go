package plsim_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// edges is every import of one package of this module by another, tests left
// out. A new edge is a decision about the architecture: it is added here by
// hand, or not made.
var edges = map[string]string{
	"bench":                  "sim/emulate sim/scenario topology/netns",
	"cmd/plsim":              "bench scenarios sim/capture sim/course sim/daemon sim/diagnose sim/emulate sim/explain sim/flowlogs sim/live sim/replay sim/report sim/scenario sim/simulate sim/story topology topology/cloudwatch topology/graph topology/netns",
	"dataplane":              "dataplane/clock dataplane/conntrack dataplane/drop dataplane/filter dataplane/flow dataplane/flowlog dataplane/link dataplane/metrics dataplane/nlb dataplane/packet dataplane/ppv2 dataplane/snat",
	"dataplane/cache":        "",
	"dataplane/clock":        "",
	"dataplane/conntrack":    "dataplane/clock dataplane/filter dataplane/flow dataplane/packet",
	"dataplane/drop":         "",
	"dataplane/engine":       "dataplane dataplane/clock dataplane/drop dataplane/link dataplane/packet",
	"dataplane/filter":       "dataplane/packet",
	"dataplane/flow":         "dataplane/cache dataplane/packet",
	"dataplane/flowlog":      "dataplane/clock dataplane/drop dataplane/flow dataplane/packet",
	"dataplane/link":         "dataplane/clock dataplane/drop",
	"dataplane/metrics":      "dataplane/clock dataplane/flow",
	"dataplane/nlb":          "dataplane/clock dataplane/conntrack dataplane/flow dataplane/packet",
	"dataplane/packet":       "dataplane/drop",
	"dataplane/ppv2":         "",
	"dataplane/snat":         "dataplane/clock dataplane/flow dataplane/packet",
	"scenarios":              "",
	"sim":                    "dataplane/flowlog sim/capture sim/diagnose sim/live sim/scenario sim/simulate sim/story topology topology/cloudwatch",
	"sim/capture":            "dataplane dataplane/clock dataplane/drop dataplane/flow",
	"sim/course":             "sim/scenario sim/story topology",
	"sim/daemon":             "sim/capture sim/diagnose sim/emulate sim/explain sim/live sim/scenario sim/story topology topology/graph topology/netns",
	"sim/diagnose":           "dataplane dataplane/drop dataplane/filter dataplane/flow dataplane/packet sim/capture sim/explain sim/live sim/scenario sim/simulate sim/story topology",
	"sim/emulate":            "dataplane dataplane/clock dataplane/drop dataplane/engine dataplane/metrics dataplane/packet dataplane/ppv2 dataplane/snat sim/live sim/scenario sim/service sim/story sim/traffic topology topology/netns topology/netns/offload",
	"sim/explain":            "dataplane dataplane/drop dataplane/filter dataplane/flow dataplane/link dataplane/packet",
	"sim/flowlogs":           "dataplane/drop dataplane/flowlog topology",
	"sim/live":               "dataplane dataplane/clock dataplane/conntrack dataplane/drop dataplane/flow dataplane/flowlog dataplane/metrics dataplane/packet sim/capture sim/explain sim/service sim/story topology topology/cloudwatch",
	"sim/replay":             "dataplane dataplane/clock dataplane/drop dataplane/flow dataplane/packet sim/capture sim/explain sim/story topology",
	"sim/report":             "sim/story topology topology/cloudwatch",
	"sim/scenario":           "dataplane/clock dataplane/drop dataplane/flowlog sim/capture topology",
	"sim/service":            "dataplane/ppv2 topology",
	"sim/simulate":           "dataplane dataplane/clock dataplane/drop dataplane/flow dataplane/packet dataplane/ppv2 dataplane/snat sim/live sim/scenario sim/service sim/simulate/event sim/simulate/host sim/story sim/traffic topology",
	"sim/simulate/event":     "dataplane/clock",
	"sim/simulate/host":      "dataplane/cache dataplane/clock dataplane/drop dataplane/packet sim/simulate/event",
	"sim/story":              "dataplane/clock dataplane/drop dataplane/flowlog sim/capture sim/scenario sim/service sim/traffic topology topology/cloudwatch",
	"sim/traffic":            "sim/scenario",
	"topology":               "dataplane dataplane/clock dataplane/conntrack dataplane/filter dataplane/flow dataplane/flowlog dataplane/link dataplane/metrics dataplane/nlb dataplane/packet dataplane/ppv2 dataplane/snat topology/cloudwatch",
	"topology/cloudwatch":    "dataplane/clock dataplane/metrics",
	"topology/graph":         "topology",
	"topology/netns":         "dataplane/cache dataplane/engine dataplane/packet",
	"topology/netns/offload": "dataplane dataplane/clock dataplane/drop dataplane/flow dataplane/flowlog dataplane/metrics dataplane/packet",
}

func TestImportEdges(t *testing.T) {
	imports := map[string][]string{}
	for _, s := range repository(t).sources {
		if s.test {
			continue
		}
		list := imports[s.dir]
		for _, p := range s.imports {
			if p, ok := strings.CutPrefix(p, module+"/"); ok {
				list = append(list, p)
			}
		}
		slices.Sort(list)
		imports[s.dir] = slices.Compact(list)
	}
	for dir, list := range imports {
		got := strings.Join(list, " ")
		if want, known := edges[dir]; !known || got != want {
			t.Errorf("package %s imports %q; the table of edges says %q", dir, got, want)
		}
	}
	for dir := range edges {
		if _, exists := imports[dir]; !exists {
			t.Errorf("the table of edges has %s, which does not exist", dir)
		}
	}
}

// floor returns how high a package stands; imports run downward only. Tests may
// stand on anything at or below their own floor.
func floor(dir string) int {
	top, _, _ := strings.Cut(dir, "/")
	return slices.Index([]string{"dataplane", "topology", "sim", "scenarios", "bench", "cmd", "."}, top)
}

func TestImportsRunDownward(t *testing.T) {
	for _, s := range repository(t).sources {
		if floor(s.dir) < 0 {
			t.Errorf("%s stands on no floor", s.path)
		}
		for _, p := range s.imports {
			if p, ok := strings.CutPrefix(p, module+"/"); ok && floor(p) > floor(s.dir) {
				t.Errorf("%s imports %s, which stands above it", s.path, p)
			}
		}
	}
}

// doors are packages that only few may import.
var doors = []struct {
	imports string // a regular expression that matches the whole import path
	in      string // a regular expression that matches the directories
	tests   string // directories whose tests may, too
	why     string
}{
	{
		imports: `github\.com/vishvananda/(netlink|netns)(/.*)?|golang\.org/x/sys/unix`,
		in:      `topology/netns(/offload)?`,
		tests:   `topology/netns|bench|cmd/plsim`,
		why:     "privilege has one door (ARCHITECTURE.md, D8)",
	},
	{
		imports: `github\.com/cilium/ebpf(/.*)?`,
		in:      `topology/netns/offload`,
		why:     "what runs in the kernel stands in one place",
	},
	{
		imports: `os/exec`,
		in:      `topology/netns`,
		tests:   `topology/netns|bench|cmd/plsim|sim/capture`,
		why:     "processes are started behind the one privileged door (ARCHITECTURE.md, D8)",
	},
	{
		imports: `github\.com/google/gopacket(/.*)?`,
		in:      `-`,
		tests:   `.*`,
		why:     "gopacket is an oracle for tests; packets are decoded by dataplane/packet",
	},
	{
		imports: `github\.com/miekg/dns`,
		in:      `sim(/.*)?`,
		tests:   `.*`,
		why:     "names are the business of the resolver",
	},
	{
		imports: `github\.com/parquet-go/.*`,
		in:      `sim/flowlogs`,
		tests:   `sim/flowlogs`,
		why:     "files of flow logs are written and read in one place",
	},
	{
		imports: `github\.com/apache/arrow-go/.*`,
		in:      `-`,
		tests:   `sim/flowlogs`,
		why:     "Arrow is an oracle for tests; Parquet files are written by one library",
	},
	{
		imports: `math/rand`,
		in:      `-`,
		tests:   `-`,
		why:     "math/rand/v2 with a source of its own repeats what a seed promises",
	},
}

func TestDoors(t *testing.T) {
	for _, s := range repository(t).sources {
		for _, d := range doors {
			if matches(d.in, s.dir) || s.test && matches(d.tests, s.dir) {
				continue
			}
			for _, p := range s.imports {
				if matches(d.imports, p) {
					t.Errorf("%s imports %s: %s", s.path, p, d.why)
				}
			}
		}
	}
}

func matches(whole, s string) bool {
	return regexp.MustCompile(`^(?:` + whole + `)$`).MatchString(s)
}

// TestSyscallNamesOnly lets every package tell signals and errors apart, and
// only topology/netns make system calls.
func TestSyscallNamesOnly(t *testing.T) {
	for _, s := range repository(t).sources {
		if s.dir == "topology/netns" || s.test {
			continue
		}
		s.uses("syscall", func(name string, pos token.Pos) {
			if !matches(`SIG[A-Z0-9]+|E[A-Z0-9]+|Errno|Signal`, name) {
				t.Errorf("%s: syscall.%s outside topology/netns", repository(t).fset.Position(pos), name)
			}
		})
	}
}

// TestCoreIsPure holds the packet walk to its inputs: no clock, chance, file,
// socket, lock, log or goroutine in dataplane, but for the engine that drives it.
func TestCoreIsPure(t *testing.T) {
	for _, s := range repository(t).sources {
		if s.test || !matches(`dataplane(/.*)?`, s.dir) || matches(`dataplane/engine(/.*)?`, s.dir) {
			continue
		}
		for _, p := range s.imports {
			if matches(`os(/.*)?|net|net/[^n].*|io|io/.*|sync(/.*)?|log(/.*)?|context|syscall|unsafe|crypto/rand`, p) {
				t.Errorf("%s imports %s: the walk knows neither files, sockets, locks nor logs", s.path, p)
			}
		}
		holdToInputs(t, s)
	}
}

// TestSimulationIsPure holds a simulation to its seed and the order of its events: that
// is what makes two runs the same.
func TestSimulationIsPure(t *testing.T) {
	for _, s := range repository(t).sources {
		if s.test || !matches(`sim/simulate(/.*)?`, s.dir) {
			continue
		}
		for _, p := range s.imports {
			if matches(`os(/.*)?|sync(/.*)?|log(/.*)?|syscall|unsafe|crypto/.*|math/rand`, p) {
				t.Errorf("%s imports %s: a simulation knows nothing outside of itself", s.path, p)
			}
		}
		holdToInputs(t, s)
	}
}

// holdToInputs finds clocks, unseeded chance, goroutines and channels in a source.
func holdToInputs(t *testing.T, s *source) {
	repo := repository(t)
	s.uses("time", func(name string, pos token.Pos) {
		if matches(`Now|Since|Until|After|AfterFunc|Sleep|Tick|NewTimer|NewTicker`, name) {
			t.Errorf("%s: time.%s: time is an argument", repo.fset.Position(pos), name)
		}
	})
	s.uses("math/rand/v2", func(name string, pos token.Pos) {
		if !matches(`New|NewPCG|NewChaCha8|Rand|Source|PCG|ChaCha8`, name) {
			t.Errorf("%s: rand.%s draws from the shared source: chance is seeded", repo.fset.Position(pos), name)
		}
	})
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.GoStmt, *ast.ChanType, *ast.SelectStmt:
			t.Errorf("%s: a goroutine or channel: one goroutine does all", repo.fset.Position(n.Pos()))
		}
		return true
	})
}

func TestOnePackageDoc(t *testing.T) {
	docs := map[string][]string{}
	for _, s := range repository(t).sources {
		if s.test && s.dir != "." {
			if s.syntax.Doc != nil {
				t.Errorf("%s: a package comment in a test file", s.path)
			}
			continue
		}
		if _, ok := docs[s.dir]; !ok {
			docs[s.dir] = nil
		}
		if s.syntax.Doc == nil {
			continue
		}
		docs[s.dir] = append(docs[s.dir], s.path)
		word, name := "Package ", s.syntax.Name.Name
		if name == "main" {
			word, name = "Command ", s.dir[strings.LastIndexByte(s.dir, '/')+1:]
		}
		if !strings.HasPrefix(s.syntax.Doc.Text(), word+name+" ") {
			t.Errorf("%s: the package comment does not begin with %q", s.path, word+name)
		}
	}
	for dir, paths := range docs {
		if len(paths) != 1 {
			t.Errorf("package %s has %d package comments, not one: %v", dir, len(paths), paths)
		}
	}
}

// TestFileLength keeps files to one idea: a longer one mostly holds two.
func TestFileLength(t *testing.T) {
	const limit = 400
	for _, s := range repository(t).sources {
		if !s.test && s.lines > limit {
			t.Errorf("%s has %d lines, over %d: split it by idea", s.path, s.lines, limit)
		}
	}
}
