package filter

// LastNumber is the number of the entry with which every network ACL ends: *,
// which denies what none before it matched (F3.17).
const LastNumber = 32767

// Entry is a numbered rule of a network ACL (F3.17).
type Entry struct {
	Number int  // 1–32766
	Allow  bool // else it denies
	// Traffic says what the entry is about, with the port of the receiving end in
	// both directions. Its peer is a prefix; ID does not count.
	Traffic Rule
	Path    string // where the scenario says it
}

// ACL is one direction of a network ACL: stateless, and decided by the first entry
// that matches (F3.17).
type ACL struct {
	ID      string // acl-…
	Label   string // what users call it: consumer/private
	entries []Entry
	index   index
}

// NewACL returns the ACL with the given entries, lowest number first. It keeps
// them; they must not change any more.
func NewACL(id, label string, entries []Entry) *ACL {
	rules := make([]Rule, len(entries))
	for i := range entries {
		rules[i] = entries[i].Traffic
	}
	return &ACL{ID: id, Label: label, entries: entries, index: newIndex(rules)}
}

// Match reports whether the ACL lets q pass, and the number of the entry that says
// so: [LastNumber] where none matches. An entry is about one family of addresses,
// so IPv4 and IPv6 are decided apart (F3.17). The ACL may be shared between
// goroutines.
func (a *ACL) Match(q Query) (number int, ok bool) {
	at := a.index.first(&q)
	if at == never {
		return LastNumber, false
	}
	return a.entries[at].Number, a.entries[at].Allow
}
