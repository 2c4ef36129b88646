package explain

// SchemaVersion is raised when the JSON form of an Explanation changes its meaning.
const SchemaVersion = 1

// Explanation is the way of a first packet and what answers it: what decided, and for
// a failure what would mend it. Its JSON form is part of plsim's contract with users.
type Explanation struct {
	SchemaVersion int     `json:"schema_version"`
	Scenario      string  `json:"scenario"`
	File          string  `json:"file"`
	Lab           string  `json:"lab,omitempty"` // that is up; "" of a scenario's that is not
	Seed          uint64  `json:"seed"`
	After         int     `json:"after"` // so many steps of the story have been played
	From          string  `json:"from"`
	To            string  `json:"to"`                // as the user said it
	Address       string  `json:"address,omitempty"` // where the packet goes; "" where the name has none
	Protocol      string  `json:"protocol"`          // tcp, udp or icmp
	Port          uint16  `json:"port,omitempty"`
	Verdict       Verdict `json:"verdict"`
	Outcome       Outcome `json:"outcome"` // what the sender sees
	// Reason is the drop reason, Code what AWS's Reachability Analyzer calls it, and
	// Lost which of the two packets it is about.
	Reason      string    `json:"reason,omitempty"`
	Code        string    `json:"aws_code,omitempty"`
	Lost        Direction `json:"lost,omitempty"`
	FailedCheck Check     `json:"failed_check,omitempty"`
	Summary     string    `json:"summary"` // a sentence
	Hops        []Hop     `json:"hops"`
	Assumptions []string  `json:"assumptions"`
	// Changes mend it, in this order, and all of them are needed. Nothing shorter of
	// their kinds was found.
	Changes []string `json:"changes"`
	// Advice is there where no change of the lab mends it.
	Advice string `json:"advice,omitempty"`
	Proof  *Proof `json:"proof,omitempty"`
}

// Verdict says whether a first packet arrives and is answered.
type Verdict string

// The verdicts.
const (
	Reachable   Verdict = "reachable"
	Unreachable Verdict = "unreachable"
	Ambiguous   Verdict = "ambiguous" // chance decides: some targets can be reached, and others not
)

// Outcome is what the sender sees of its packet.
type Outcome string

// The outcomes.
const (
	Answered Outcome = "answered"
	Refused  Outcome = "refused" // RST, or ICMP port unreachable
	Silence  Outcome = "silence"
	Arrives  Outcome = "arrives" // a datagram, at a program of which nobody knows whether it answers
	NoName   Outcome = "dns"     // the name does not resolve, so nothing is sent
)

// Proof is what packets came to that were sent.
type Proof struct {
	Sent      int      `json:"sent"`              // connections, datagrams or echo requests
	Seen      []string `json:"seen"`              // the outcomes, without repetition
	Drops     []string `json:"drops"`             // the reasons that were counted meanwhile
	Agrees    bool     `json:"agrees"`            // with the prediction
	Disagrees string   `json:"differs,omitempty"` // in what, in a sentence
}
