package scenario

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology"
)

// Words that a matcher can be about.
var (
	errorWords       = []string{"timeout", "refused", "reset", "closed", "unreachable", "dns", "tls", "http", "none"}
	targetStateWords = []string{
		string(topology.TargetInitial), string(topology.TargetHealthy), string(topology.TargetUnhealthy),
		string(topology.TargetUnhealthyDraining), string(topology.TargetDraining), string(topology.TargetUnused),
	}
	stateWords = []string{
		string(topology.PendingAcceptance), string(topology.Pending), string(topology.Available),
		string(topology.Rejected), string(topology.Deleted),
		string(topology.TargetDraining), string(topology.TargetUnused),
	}
	// otherStates are those of the actions that are about something else.
	otherStates = map[string][]string{
		"delete_vpc_endpoint_service":                         {string(topology.ServiceAvailable), string(topology.ServiceDeleted)},
		"start_vpc_endpoint_service_private_dns_verification": {topology.PendingVerification, topology.Verified, topology.VerificationFailed},
	}
)

// numeric are the keys of expect whose values are whole numbers.
var numeric = []string{"status", "succeeded", "failed", "targets", "exit_code", "count", "reasons", "datapoints", "connections", "datagrams", "bytes",
	"errors", "missed", "duplicates", "bytes_sent", "bytes_received"}

// expect checks that an expectation is one of the step's action, and can hold.
func (c *checker) expect(path, action string, e *Expect) {
	v := reflect.ValueOf(e).Elem()
	for _, f := range fieldsOf(v.Type()) {
		value, p := v.FieldByIndex(f.index), join(path, f.key)
		if value.IsZero() {
			continue
		}
		if !slices.Contains(expectable[action], f.key) {
			with := actionsWith(f.key)
			if len(with) > 8 {
				with = []string{"what asks for an answer or changes the lab"}
			}
			c.wrong(p, "this is for %s; %s", strings.Join(with, ", "), whatToExpect(action))
			continue
		}
		key := f.key
		if key == "error" && edits[action] != nil {
			key = "refusal" // AWS's words, not how an exchange failed
		}
		if key == "state" && otherStates[action] != nil {
			key = action + " state"
		}
		c.matchers(p, key, value)
	}
	for name := range e.Targets {
		c.instance(join(join(path, "targets"), name), name)
	}
	for key, targets := range map[string]map[string]*Matcher{"states": e.States, "reason_codes": e.ReasonCodes} {
		for name := range targets {
			c.target(join(join(path, key), name), name)
		}
	}
	c.failures(join(path, "errors"), e.Errors)
	c.latency(join(path, "latency"), e.Latency)
	for name := range e.Reasons {
		if _, ok := drop.Parse(name); !ok {
			var known []string
			for _, r := range drop.All() {
				known = append(known, r.String())
			}
			c.wrong(join(join(path, "reasons"), name), "no drop reason has this name%s", hint(name, known))
		}
	}
	c.rows(join(path, "records"), "record", flowlog.Fields(), e.Records)
	c.rows(join(path, "packets"), "packet", capture.FieldNames(), e.Packets)
	if action == "captures" {
		c.rows(join(path, "absent"), "packet", capture.FieldNames(), e.Absent)
	} else {
		c.rows(join(path, "absent"), "record", flowlog.Fields(), e.Absent)
	}
}

// actionsWith returns the actions that a key of expect is for.
func actionsWith(key string) (with []string) {
	for _, a := range actions {
		if slices.Contains(expectable[a.key], key) {
			with = append(with, a.key)
		}
	}
	return with
}

func whatToExpect(action string) string {
	if keys := expectable[action]; len(keys) > 0 {
		return action + " can expect " + strings.Join(keys, ", ")
	}
	return action + " has nothing to expect"
}

// rows checks records of flow logs, or packets, by the names of their fields.
func (c *checker) rows(path, what string, known []string, rows []map[string]*Matcher) {
	of := map[string]string{"record": "flow log", "packet": "packet"}[what]
	for i, r := range rows {
		p := item(path, i)
		if len(r) == 0 {
			c.wrong(p, "the %s is empty: name at least one field of it", what)
		}
		for name := range r {
			if !slices.Contains(known, name) {
				c.wrong(join(p, name), "no field of a %s has this name%s", of, hint(name, known))
			}
		}
	}
}

// matchers checks every matcher in the value of a key of expect.
func (c *checker) matchers(path, key string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if m, ok := v.Interface().(*Matcher); ok {
			c.matcher(path, key, m)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			c.matchers(join(path, k.String()), key, v.MapIndex(k))
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.matchers(item(path, i), key, v.Index(i))
		}
	}
}

func (c *checker) matcher(path, key string, m *Matcher) {
	if len(m.conditions()) == 0 && c.brokenBelow(path) {
		return
	}
	if len(m.conditions()) == 0 {
		c.wrong(path, "the condition is empty: write a value, or one of %s", strings.Join(keysOf(fieldsOf(reflect.TypeFor[Matcher]())), ", "))
		return
	}
	if m.Matches != nil {
		// A reference becomes some text; its braces are no part of the expression.
		text, _ := expand(*m.Matches, false, func(string) (string, error) { return "x", nil })
		if _, err := regexp.Compile(text); err != nil {
			c.wrong(join(path, "matches"), "not a regular expression: %v", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	if m.OneOf != nil && len(m.OneOf) == 0 {
		c.wrong(join(path, "one_of"), "the list is empty, so nothing can be one of it")
	}
	if m.AtLeast != nil && m.AtMost != nil && *m.AtLeast > *m.AtMost {
		c.wrong(join(path, "at_least"), "at least %s and at most %s cannot both hold", formatNumber(*m.AtLeast), formatNumber(*m.AtMost))
	}
	check := func(path, text string) {
		var known []string
		key := key
		switch {
		case strings.Contains(text, "${"):
			return
		case key == "value", key == "rate", key == "bits_per_second":
			if _, err := strconv.ParseFloat(text, 64); err != nil {
				c.wrong(path, "expected a number, found %q", text)
			}
			return
		case key == "error":
			known = errorWords
		case key == "state":
			known = stateWords
		case key == "states":
			known = targetStateWords
		case strings.HasSuffix(key, " state"):
			known, key = otherStates[strings.TrimSuffix(key, " state")], "state"
		case slices.Contains(numeric, key):
			if !wholeNumber.MatchString(text) {
				c.wrong(path, "expected a whole number, found %q", text)
			}
			return
		default:
			return
		}
		if !slices.Contains(known, text) {
			c.wrong(path, "%q is not a known %s%s", text, strings.TrimSuffix(key, "s"), hint(text, known))
		}
	}
	if m.Equals != nil {
		at := join(path, "equals")
		if !c.src.Has(at) { // written as the plain value
			at = path
		}
		check(at, *m.Equals)
	}
	for i, text := range m.OneOf {
		check(item(join(path, "one_of"), i), text)
	}
	if m.Not != nil {
		c.matcher(join(path, "not"), key, m.Not)
	}
}
