package report

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// MetricsTable prints what is reported of a lab since it began, a table for each
// namespace: the statistics that AWS calls useful, and dimensions as the lab calls them.
func MetricsTable(w io.Writer, all []cloudwatch.Series) {
	columns := []string{cloudwatch.Sum, cloudwatch.Average, cloudwatch.Minimum, cloudwatch.Maximum}
	first := true
	for _, namespace := range cloudwatch.Namespaces() {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.Style().Format.Header = text.FormatDefault
		t.Style().Options = table.Options{SeparateHeader: true}
		t.Style().Box.PaddingLeft = ""
		t.SuppressTrailingSpaces()
		t.AppendHeader(table.Row{"Metric", "Dimensions", "Sum", "Average", "Minimum", "Maximum", "Unit"})
		var right []table.ColumnConfig
		for i := range columns {
			right = append(right, table.ColumnConfig{Number: 3 + i, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
		t.SetColumnConfigs(right)
		for _, s := range all {
			points := s.Over(0)
			if s.Namespace != namespace || len(points) == 0 {
				continue
			}
			row := table.Row{s.Name, words(s.Dimensions)}
			for _, c := range columns {
				value := ""
				if slices.Contains(s.Statistics, c) {
					value = story.FormatMetric(points[0].Statistic(c))
				}
				row = append(row, value)
			}
			t.AppendRow(append(row, s.Unit))
		}
		if t.Length() == 0 {
			continue
		}
		if !first {
			_, _ = io.WriteString(w, "\n")
		}
		first = false
		_, _ = io.WriteString(w, namespace+"\n"+t.Render()+"\n")
	}
	if first {
		_, _ = io.WriteString(w, "nothing is reported\n")
	}
}

// words writes dimensions for people.
func words(dimensions []cloudwatch.Dimension) string {
	var all []string
	for _, d := range dimensions {
		all = append(all, d.Name+"="+d.String())
	}
	return strings.Join(all, ", ")
}

// Metrics is what is reported of a lab. Its JSON form is part of plsim's contract
// with users; its words are those of CloudWatch's API.
type Metrics struct {
	SchemaVersion int      `json:"schema_version"`
	Scenario      string   `json:"scenario"`
	Metrics       []Metric `json:"metrics"`
}

// MetricsSchemaVersion is raised when the JSON form of Metrics changes its meaning.
const MetricsSchemaVersion = 1

// Metric is a metric in one set of dimensions.
type Metric struct {
	Namespace  string      `json:"namespace"`
	MetricName string      `json:"metric_name"`
	Dimensions []Dimension `json:"dimensions"`
	Unit       string      `json:"unit"`
	Datapoints []Datapoint `json:"datapoints"` // one a minute of the lab
}

// Dimension is a part of what a metric is about.
type Dimension struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Datapoint is a minute of the lab.
type Datapoint struct {
	Timestamp   time.Time `json:"timestamp"` // when it began
	SampleCount float64   `json:"sample_count"`
	Sum         float64   `json:"sum"`
	Average     float64   `json:"average"`
	Minimum     float64   `json:"minimum"`
	Maximum     float64   `json:"maximum"`
}

// MetricsJSON prints what is reported of a lab, minute by minute. epoch is what the
// lab's moment 0 is called.
func MetricsJSON(w io.Writer, scenario string, epoch time.Time, all []cloudwatch.Series) error {
	out := Metrics{SchemaVersion: MetricsSchemaVersion, Scenario: scenario, Metrics: []Metric{}}
	for _, s := range all {
		if len(s.Points) == 0 {
			continue
		}
		m := Metric{Namespace: s.Namespace, MetricName: s.Name, Unit: s.Unit}
		for _, d := range s.Dimensions {
			m.Dimensions = append(m.Dimensions, Dimension{d.Name, d.Value})
		}
		for _, p := range s.Points {
			m.Datapoints = append(m.Datapoints, Datapoint{
				Timestamp: epoch.Add(time.Duration(p.At)).UTC().Truncate(time.Millisecond), SampleCount: p.SampleCount,
				Sum: cloudwatch.Round(p.Sum), Average: cloudwatch.Round(p.Average()),
				Minimum: cloudwatch.Round(p.Minimum), Maximum: cloudwatch.Round(p.Maximum),
			})
		}
		out.Metrics = append(out.Metrics, m)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
