package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes a result for people: the ratios, and what they were made of.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "measure\trival\tratio\tspread\tbetter\tplsim\trival\t\n")
	for _, c := range r.Comparisons {
		better := "higher"
		if c.Lower {
			better = "lower"
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f-%.2f\t%s\t%.4g\t%.4g %s\t\n",
			c.Measure, c.Rival, c.Ratio, c.Min, c.Max, better, median(c.Ours), median(c.Theirs), c.Unit)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(t, "left out: %s\n", m)
	}
	fmt.Fprintf(t, "ratios plsim/rival, medians of %d adjacent pairs; MTU %d, %d CPUs, %s\n", r.Pairs, r.MTU, r.CPUs, r.System)
	return t.Flush()
}

// WriteJSON writes a result for programs.
func (r *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}
