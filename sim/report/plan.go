package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/plsim/plsim/topology"
)

// planSchemaVersion is raised when the JSON form of a plan changes its meaning.
const planSchemaVersion = 1

// Plan is what becomes of a lab that follows another file, in the form of Terraform's
// plans.
type Plan struct {
	Lab     string
	File    string
	DryRun  bool // nothing has been done
	Changes []topology.Change
}

// counts are how much is added, changed and destroyed; what is replaced is both.
func (p *Plan) counts() (add, change, destroy int) {
	for _, c := range p.Changes {
		switch c.Action {
		case topology.Create:
			add++
		case topology.Update:
			change++
		case topology.Destroy:
			destroy++
		case topology.Replace:
			add++
			destroy++
		}
	}
	return add, change, destroy
}

// MarshalJSON implements [json.Marshaler].
func (p Plan) MarshalJSON() ([]byte, error) {
	type summary struct {
		Add     int `json:"add"`
		Change  int `json:"change"`
		Destroy int `json:"destroy"`
	}
	add, change, destroy := p.counts()
	changes := p.Changes
	if changes == nil {
		changes = []topology.Change{}
	}
	return json.Marshal(struct {
		SchemaVersion int               `json:"schema_version"`
		Lab           string            `json:"lab"`
		File          string            `json:"file"`
		DryRun        bool              `json:"dry_run"`
		Changes       []topology.Change `json:"changes"`
		Summary       summary           `json:"summary"`
	}{planSchemaVersion, p.Lab, p.File, p.DryRun, changes, summary{add, change, destroy}})
}

// marks are how Terraform marks what becomes of a resource, and in which colour.
var marks = map[topology.Fate]struct{ text, colour string }{
	topology.Create:  {"  +", "32"},
	topology.Update:  {"  ~", "33"},
	topology.Replace: {"-/+", "31"},
	topology.Destroy: {"  -", "31"},
}

// Print writes the plan for people, with colours if asked for.
func (p *Plan) Print(w io.Writer, colour bool) {
	t := &Text{w: w, colour: colour}
	if len(p.Changes) == 0 {
		fmt.Fprintf(w, "No changes. Lab %s is what %s says.\n", p.Lab, p.File)
		return
	}
	for _, c := range p.Changes {
		mark, note := marks[c.Action], ""
		if c.Action == topology.Replace {
			note = " must be replaced"
		}
		fmt.Fprintf(w, "%s %s%s\n", t.paint(mark.colour, mark.text), c.Address, note)
		if c.Action != topology.Destroy {
			for _, a := range c.Attributes {
				t.attribute(a)
			}
		}
	}
	add, change, destroy := p.counts()
	if p.DryRun {
		fmt.Fprintf(w, "\nPlan: %d to add, %d to change, %d to destroy.\n", add, change, destroy)
		return
	}
	fmt.Fprintf(w, "\nApply complete! Lab %s: %d added, %d changed, %d destroyed.\n", p.Lab, add, change, destroy)
}

// attribute writes what becomes of an attribute: a line, or one for each value of a set.
func (t *Text) attribute(a topology.AttributeChange) {
	forces := ""
	if a.Forces {
		forces = " # forces replacement"
	}
	came, went := a.Came(), a.Went()
	if len(came)+len(went) == 0 {
		fmt.Fprintf(t.w, "        %s = %s%s\n", a.Name, a.Before[0], forces)
		return
	}
	if !a.Set && len(came) == 1 && len(went) == 1 {
		fmt.Fprintf(t.w, "      %s %s = %s -> %s%s\n", t.paint("33", "~"), a.Name, went[0], came[0], forces)
		return
	}
	for _, v := range went {
		fmt.Fprintf(t.w, "      %s %s = %s%s\n", t.paint("31", "-"), a.Name, v, forces)
	}
	for _, v := range came {
		fmt.Fprintf(t.w, "      %s %s = %s%s\n", t.paint("32", "+"), a.Name, v, forces)
	}
}
