package daemon

import (
	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// One request is made over a connection, and answered. Both are a line of JSON; before the
// answer to a story come its steps, a line each. Whoever
// asks for a program sends the files that become its standard input, output and error
// along with the request, may send signals for it in lines of their own, and kills it by
// going away. So does whoever asks for a capture, with the end of a pipe: packets are
// written to that, and the answer comes when all has been said.

// request asks for one thing.
type request struct {
	Status bool     `json:"status,omitempty"`
	Down   bool     `json:"down,omitempty"`
	Exec   *Program `json:"exec,omitempty"`
	Step   string   `json:"step,omitempty"` // as it stands in a scenario
	Apply  *Edition `json:"apply,omitempty"`
	// Aside is whether the step is not to be written down.
	Aside   bool `json:"aside,omitempty"`
	Journal bool `json:"journal,omitempty"` // which steps have been taken
	Play    bool `json:"play,omitempty"`    // the scenario's own steps

	Capture  *Capture    `json:"capture,omitempty"`
	Flows    *live.Sight `json:"flows,omitempty"`
	Activity int         `json:"activity,omitempty"` // with so many flows

	Choices *choices `json:"choices,omitempty"`

	Explain *Question `json:"explain,omitempty"`
	Graph   string    `json:"graph,omitempty"` // mermaid, dot or svg
}

// Program is a program to run in an instance.
type Program struct {
	Instance string   `json:"instance"` // VPC/NAME, or NAME where that is unique
	Argv     []string `json:"argv"`
	// Terminal is whether its standard input is a terminal of its own.
	Terminal bool     `json:"terminal,omitempty"`
	Env      []string `json:"env,omitempty"`
}

// signalled is a signal for the program that was asked for.
type signalled struct {
	Signal int `json:"signal"`
}

// reply is the answer to a request.
type reply struct {
	Error *Error `json:"error,omitempty"` // why there is no answer

	Instances []emulate.Instance `json:"instances,omitempty"`
	ExitCode  int                `json:"exit_code,omitempty"`
	Step      *story.StepResult  `json:"step,omitempty"`
	Changes   []topology.Change  `json:"changes,omitempty"`
	Journal   []string           `json:"journal,omitempty"`
	Captured  *Captured          `json:"captured,omitempty"`
	Flows     *live.Flows        `json:"flows,omitempty"`
	Activity  *live.Activity     `json:"activity,omitempty"`
	Story     *story.Result      `json:"story,omitempty"`
	Choices   []topology.Choice  `json:"choices,omitempty"`

	Explanation *explain.Explanation `json:"explanation,omitempty"`
	Drawing     string               `json:"drawing,omitempty"`
}

// Error is what a lab has to say against a request.
type Error struct {
	Text string `json:"text"`
	// Usage is whether the request was wrong; else the lab has a fault.
	Usage bool `json:"usage,omitempty"`
	// Start is whether what an instance runs did not come up as its scenario expects.
	Start bool `json:"start,omitempty"`
	// NotFound is whether the program that was asked for could not be started.
	NotFound bool `json:"not_found,omitempty"`
}

func (e *Error) Error() string { return e.Text }
