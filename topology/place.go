package topology

// places tell where the author wrote a rule.
type places struct {
	locate func(path string) string // nil: the path itself says it
	cited  string                   // the path of the story's edit that is being made
}

// Locate has explanations say where the author wrote a rule: where returns that for
// a path of the spec. Without it they name the path.
func (l *Lab) Locate(where func(path string) string) {
	l.places.locate = where
	for i := range l.rules {
		l.rules[i].Path = where(l.rules[i].Path)
	}
	for _, vpc := range l.find.acls.vpcs {
		for _, a := range vpc {
			for d := range a.entries {
				for i := range a.entries[d] {
					a.entries[d][i].Path = where(a.entries[d][i].Path)
				}
			}
		}
	}
}

// Cite says by which path of the story the edits that follow are made.
func (l *Lab) Cite(path string) { l.places.cited = path }

// place returns where a rule stands: at its path, or without one where the edit is
// that adds it.
func (l *Lab) place(path string) string {
	if path == "" {
		path = l.places.cited
	}
	if l.places.locate == nil || path == "" {
		return path
	}
	return l.places.locate(path)
}
