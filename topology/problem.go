package topology

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one mistake in a lab.
type Problem struct {
	// Path is where the offending value stands in the YAML document, such as
	// load_balancers.api.listeners[0].port. A key that is not a plain word of
	// letters, digits, _ and - stands in single quotes. A missing value has the
	// path that it would have.
	Path string
	Msg  string // what is wrong and what to do about it
	// AWS is the error code and message with which AWS's API refuses this, where
	// it is no mistake in what was written but a refusal of what was asked.
	AWS string
}

// String returns the path and the message.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Msg
	}
	return p.Path + ": " + p.Msg
}

// Problems are all the mistakes in a lab, sorted by path.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// add records a problem.
func (ps *Problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// under records other problems, whose paths are relative, below a path.
func (ps *Problems) under(path string, others Problems) {
	for _, p := range others {
		p.Path = join(path, p.Path)
		*ps = append(*ps, p)
	}
}

// sort orders the problems and drops repetitions.
func (ps *Problems) sort() {
	slices.SortFunc(*ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg))
	})
	*ps = slices.Compact(*ps)
}

// err returns the problems as an error, nil if there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Refusal is an edit that AWS's API would refuse.
type Refusal struct {
	AWS string // its error code and message, such as InvalidServiceName: …
	Why string // what that means here
}

// Error returns AWS's words, and what they mean.
func (r *Refusal) Error() string {
	if r.Why == "" {
		return r.AWS
	}
	return r.AWS + " (" + r.Why + ")"
}

// verdict returns what the problems mean for an edit: nil if there are none, a
// *[Refusal] where all that stands against it is AWS, else the mistakes, with paths
// below prefix made relative.
func (ps Problems) verdict(prefix string) error {
	var mistakes Problems
	for _, p := range ps {
		if p.AWS == "" {
			p.Path = strings.TrimPrefix(strings.TrimPrefix(p.Path, prefix), ".")
			mistakes = append(mistakes, p)
		}
	}
	if len(ps) == 0 || len(mistakes) > 0 {
		mistakes.sort()
		return mistakes.err()
	}
	return &Refusal{AWS: ps[0].AWS, Why: ps[0].Msg}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// at returns the path of a key below a path.
func at(path, key string) string {
	if !plainKey.MatchString(key) {
		key = "'" + key + "'"
	}
	return join(path, key)
}

// item returns the path of a list's element.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// join puts a relative path below another.
func join(path, rel string) string {
	switch {
	case path == "":
		return rel
	case rel == "", strings.HasPrefix(rel, "["):
		return path + rel
	}
	return path + "." + rel
}
