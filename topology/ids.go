package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/packet"
)

// ids makes and checks the lab's identifiers. They are made by hashing names, so
// they are the same each time a file is read, and no two are alike.
type ids struct {
	lab   string
	taken map[string]string   // identifier to the path that has it
	kept  map[kindPath]string // what a path has in the lab that runs
}

func newIDs(lab string) *ids { return &ids{lab: lab, taken: map[string]string{}} }

// kindPath is what an identifier is of: its first words, "" where it has none, and the
// path that has it.
type kindPath struct{ kind, path string }

// keep takes the identifier that a path has in the lab that runs, if it is free.
func (x *ids) keep(kind, path string, id *string) bool {
	kept, ok := x.kept[kindPath{kind, path}]
	if _, taken := x.taken[kept]; !ok || taken {
		return false
	}
	*id, x.taken[kept] = kept, path
	return true
}

// digest hashes the lab's name, a kind, a path and the number of the attempt.
func (x *ids) digest(kind, path string, attempt int) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join([]string{x.lab, kind, path, strconv.Itoa(attempt)}, "\x00")))
}

// unique makes identifiers from ever new digests until one is free.
func (x *ids) unique(kind, path string, form func([sha256.Size]byte) string) string {
	for attempt := 0; ; attempt++ {
		id := form(x.digest(kind, path, attempt))
		if _, ok := x.taken[id]; !ok {
			x.taken[id] = path
			return id
		}
	}
}

// hex makes kind-HEX, with 17 digits as AWS does.
func (x *ids) hex(kind, path string) string {
	return x.unique(kind, path, func(d [sha256.Size]byte) string {
		return kind + "-" + hex.EncodeToString(d[:])[:17]
	})
}

// mac makes a locally administered unicast address. What takes the place of something
// that is gone has its address, too: neighbours may remember that.
func (x *ids) mac(path string) (m packet.MAC) {
	for attempt := 0; ; attempt++ {
		d := x.digest("mac", path, attempt)
		copy(m[:], d[:])
		m[0] = m[0]&^3 | 2
		if of, taken := x.taken[m.String()]; !taken || of == path {
			x.taken[m.String()] = path
			return m
		}
	}
}

// given takes an identifier from the document, or makes it if there is none.
// The identifier's form is KIND- and 17 hex digits, or 8 as AWS once had.
func (x *ids) given(ps *Problems, kind, path string, id *string) {
	if *id == "" && x.keep(kind, path, id) {
		return
	}
	if *id == "" {
		*id = x.hex(kind, path)
		return
	}
	form := regexp.MustCompile(`^` + regexp.QuoteMeta(kind) + `-([0-9a-f]{8}|[0-9a-f]{17})$`)
	x.own(ps, path, *id, form, kind+"- and 17 lower-case hex digits")
}

// own takes an identifier of another form from the document.
func (x *ids) own(ps *Problems, path, id string, form *regexp.Regexp, words string) {
	path = join(path, "id")
	if !form.MatchString(id) {
		ps.add(path, "%q is not an ID of this kind: write %s, or leave it out", id, words)
		return
	}
	if other, ok := x.taken[id]; ok {
		ps.add(path, "%s is already the ID of %s", id, strings.TrimSuffix(other, ".id"))
		return
	}
	x.taken[id] = path
}

var (
	balancerID  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	dnsSuffixID = regexp.MustCompile(`^[a-z0-9]{8}$`)
)

// short makes 16 hex digits, as the ARNs of load balancers and target groups have.
func (x *ids) short(kind, path string) string {
	return x.unique(kind, path, func(d [sha256.Size]byte) string { return hex.EncodeToString(d[:8]) })
}

// balancer takes or makes the 16 hex digits of a load balancer.
func (x *ids) balancer(ps *Problems, path string, id *string) {
	if *id == "" && x.keep("", path, id) {
		return
	}
	if *id == "" {
		*id = x.short("net", path)
		return
	}
	x.own(ps, path, *id, balancerID, "16 lower-case hex digits")
}

// suffix makes the random label of an endpoint's DNS names, such as lj2wisx3 (F1.22).
func (x *ids) suffix(path string) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	d := x.digest("dns", path, 0)
	var b [8]byte
	for i := range b {
		b[i] = letters[int(d[i])%len(letters)]
	}
	return string(b[:])
}
