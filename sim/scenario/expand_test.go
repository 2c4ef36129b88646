package scenario_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

func TestExpand(t *testing.T) {
	loaded, err := scenario.LoadBytes("x", []byte(lab))
	if err != nil {
		t.Fatal(err)
	}
	web, err := loaded.Lab.Variable("instance.web.private_ip")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, strict, foreign string // "!" in front of what the error has
	}{
		{"", "", ""},
		{"plain $5", "plain $5", "plain $5"},
		{"${instance.web.private_ip}", web, web},
		{"a${instance.web.private_ip}b${instance.web.private_ip}", "a" + web + "b" + web, "a" + web + "b" + web},
		{"$${instance.web.private_ip}", "${instance.web.private_ip}", "${instance.web.private_ip}"},
		{"$${HOME}", "${HOME}", "$${HOME}"}, // the shell's process number, then {HOME}
		{"${HOME}", "!unknown reference ${HOME}", "${HOME}"},
		{"${vpc}", "!unknown reference ${vpc}", "${vpc}"}, // a shell variable may have the name
		{"${x:-${instance.web.private_ip}}", "!unknown reference", "${x:-" + web + "}"},
		{"${vpc.nowhere.id}", `!there is no VPC "nowhere"`, `!there is no VPC "nowhere"`},
		{"${instance.web.private_ip", "!without }", "${instance.web.private_ip"},
		{"$", "$", "$"},
		{"${", "!without }", "${"},
		{"${}", "!unknown reference ${}", "${}"},
	} {
		for i, want := range []string{c.strict, c.foreign} {
			expand := []func(*topology.Lab, string) (string, error){scenario.Expand, scenario.ExpandForeign}[i]
			got, err := expand(loaded.Lab, c.text)
			if msg, fails := strings.CutPrefix(want, "!"); fails {
				if err == nil || !strings.Contains(err.Error(), msg) {
					t.Errorf("%q: got %q, %v; want the error %s", c.text, got, err, msg)
				}
			} else if err != nil || got != want {
				t.Errorf("%q: got %q, %v; want %q", c.text, got, err, want)
			}
		}
	}
}

func TestStepExpand(t *testing.T) {
	loaded, err := scenario.LoadBytes("x", []byte(`steps:
  - name: ${not.a.reference}
    request:
      from: client
      url: http://${instance.web.private_ip}/
      headers: { x: "${vpc.provider.cidr_block}" }
    expect: { json: { ip: { one_of: ["${vpc.consumer.cidr_block}"] } } }
  - exec: { in: client, command: "echo ${HOME} ${vpc.provider.cidr_block}", stdin: "${PATH}" }
`+lab))
	if err != nil {
		t.Fatal(err)
	}
	written := loaded.Scenario.Steps[0]
	step, err := written.Expand(loaded.Lab)
	if err != nil {
		t.Fatal(err)
	}
	web, _ := loaded.Lab.Variable("instance.web.private_ip")
	for _, c := range []struct{ got, want string }{
		{step.Request.URL, "http://" + web + "/"},
		{step.Request.Headers["x"], "10.0.0.0/16"},
		{step.Expect.JSON["ip"].OneOf[0], "10.0.0.0/16"},
		{step.Name, "${not.a.reference}"},
		{written.Request.URL, "http://${instance.web.private_ip}/"}, // the scenario itself stays
		{written.Expect.JSON["ip"].OneOf[0], "${vpc.consumer.cidr_block}"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if step.Request.Timeout != written.Request.Timeout || step.Action() != "request" {
		t.Errorf("the copy lost something: %+v", step.Request)
	}

	exec, err := loaded.Scenario.Steps[1].Expand(loaded.Lab)
	if err != nil {
		t.Fatal(err)
	}
	if got := exec.Exec.Command[2] + exec.Exec.Stdin; got != "echo ${HOME} 10.0.0.0/16${PATH}" {
		t.Errorf("the command is %q", got)
	}
}

func TestExpandInstance(t *testing.T) {
	loaded, err := scenario.LoadBytes("x", []byte(lab))
	if err != nil {
		t.Fatal(err)
	}
	in := &topology.Instance{
		Command:     topology.Command{"/bin/sh", "-c", "cd ${HOME}; serve ${vpc.provider.cidr_block}"},
		Environment: map[string]string{"NET": "${vpc.provider.cidr_block}"},
		Files:       map[string]string{"f": "${vpc.provider.cidr_block} ${x}"},
		Services:    []*topology.Service{{Type: "http", Routes: map[string]string{"/": "${vpc.provider.cidr_block}"}}},
	}
	out, err := scenario.ExpandInstance(loaded.Lab, in)
	want := &topology.Instance{
		Command:     topology.Command{"/bin/sh", "-c", "cd ${HOME}; serve 10.0.0.0/16"},
		Environment: map[string]string{"NET": "10.0.0.0/16"},
		Files:       map[string]string{"f": "10.0.0.0/16 ${x}"},
		Services:    []*topology.Service{{Type: "http", Routes: map[string]string{"/": "10.0.0.0/16"}}},
	}
	if err != nil || !reflect.DeepEqual(out, want) {
		t.Errorf("got %+v, %v", out, err)
	}
	if _, err := scenario.ExpandInstance(loaded.Lab, &topology.Instance{Files: map[string]string{"f": "${vpc.nowhere.id}"}}); err == nil {
		t.Error("a reference to nothing is no error")
	}
}
