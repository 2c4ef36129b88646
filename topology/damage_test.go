package topology

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
)

// TestDamagedSpec breaks a good spec in a few random places. Whatever comes of
// it, New must return either problems, each with a path and a message, or a lab
// that compiles and whose completed spec is a lab again.
func TestDamagedSpec(t *testing.T) {
	texts := []string{twoAccounts, wholeLab, networks}
	rapid.Check(t, func(t *rapid.T) {
		spec := parse(t, rapid.SampledFrom(texts).Draw(t, "lab"))
		for range rapid.IntRange(1, 4).Draw(t, "damages") {
			damage(t, reflect.ValueOf(spec).Elem())
		}
		l, err := New("test", spec)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("New says %v, not problems", err)
			}
			for i, p := range problems {
				if p.Path == "" || p.Msg == "" || i > 0 && p == problems[i-1] {
					t.Fatalf("problem %d is %q", i, p)
				}
			}
			return
		}
		l.Compile()
		l.Names()
		if _, err := New("test", spec); err != nil {
			t.Fatalf("a completed spec has mistakes: %v", err)
		}
	})
}

// damage walks down to one random part of v and changes it.
func damage(t *rapid.T, v reflect.Value) {
	stop := rapid.IntRange(0, 9).Draw(t, "stop") == 0
	switch v.Kind() {
	case reflect.Struct:
		damage(t, v.Field(rapid.IntRange(0, v.NumField()-1).Draw(t, v.Type().Name())))
	case reflect.Pointer:
		if stop || v.IsNil() {
			v.SetZero()
			return
		}
		damage(t, v.Elem())
	case reflect.Map:
		keys := v.MapKeys()
		if len(keys) == 0 {
			return
		}
		names := make([]string, len(keys))
		for i, k := range keys {
			names[i] = k.String()
		}
		slices.Sort(names) // a seed must find the same part again
		key := reflect.ValueOf(rapid.SampledFrom(names).Draw(t, "key"))
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		switch {
		case stop:
			if value.Kind() == reflect.Pointer && !value.IsNil() { // no document has one part twice
				twin := reflect.New(value.Type().Elem())
				twin.Elem().Set(value.Elem())
				value = twin
			}
			v.SetMapIndex(reflect.ValueOf(word(t)), value) // the same part under another name
		case value.Kind() == reflect.Pointer && !value.IsNil():
			damage(t, value.Elem())
		default:
			value.SetZero()
			v.SetMapIndex(key, value)
		}
	case reflect.Slice:
		switch n := v.Len(); {
		case stop || n == 0:
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		default:
			damage(t, v.Index(rapid.IntRange(0, n-1).Draw(t, "index")))
		}
	case reflect.String:
		v.SetString(word(t))
	case reflect.Int:
		v.SetInt(rapid.SampledFrom([]int64{-1 << 62, -1, 0, 1, 53, 80, 443, 65535, 65536, 1 << 62}).Draw(t, "int"))
	case reflect.Bool:
		v.SetBool(!v.Bool())
	}
}

func word(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"", "a", "b", "one", "hub", "small", "api", "names", "consumer", "provider", "consumer/a", "hub/two", "default", "/", "x/y/z", "..",
		"-1", "6", "tcp", "TCP", "UDP", "TCP_UDP", "TLS", "ip", "instance", "true", "on", "dualstack", "ipv6", "*", "*.a.b", "us-east-1", "us-east-1b", "use1-az6",
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.1.0/28", "10.0.1.4", "100.68.2.4", "255.255.255.240/28", "::/0", "::ffff:10.0.0.0/112", "2001:db8::/64", "2001:db8:1234:aa02::9", "fe80::1%eth0",
		"arn:aws:iam::111111111111:root", "222222222222", "com.amazonaws.vpce.us-east-1.", "vpce-svc-0123456789abcdef0", "i-01234567", "\x00", "é",
	}).Draw(t, "word")
}

// TestRandomEdits does random things to a lab. Whatever AWS makes of them, numbers of
// interfaces stay what they are, no two interfaces share an address, and there is
// a program and names.
func TestRandomEdits(t *testing.T) {
	endpoints := []string{"api", "late", "more"}
	subnets := func(t *rapid.T, label string) []string {
		return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "consumer/a", "provider/b", "z"}), 0, 2).Draw(t, label)
	}
	rapid.Check(t, func(t *rapid.T) {
		l := mustBuild(t, "settings: { setup_delay: 1 }\n"+twoAccounts, open...)
		yes := rapid.Bool()
		pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
		addresses := func() map[string]string {
			if !yes.Draw(t, "designated") {
				return nil
			}
			return map[string]string{pick("subnet", "a", "b"): pick("address", "10.0.1.4", "10.0.1.9", "10.0.2.9", "10.0.2.10", "x")}
		}
		edits := []func() error{
			func() error {
				return l.CreateVPCEndpoint(&NewEndpoint{Name: pick("name", endpoints...), VPCEndpoint: VPCEndpoint{
					VPCID: "consumer", ServiceName: "api", SubnetIDs: subnets(t, "subnets"), PrivateIPs: addresses(), PrivateDNS: yes.Draw(t, "private")}})
			},
			func() error {
				on := yes.Draw(t, "private")
				return l.ModifyVPCEndpoint(&EndpointChange{VPCEndpoint: pick("name", endpoints...), PrivateIPs: addresses(), PrivateDNS: &on,
					AddSubnets: subnets(t, "add"), RemoveSubnets: subnets(t, "remove"), AddGroups: []string{pick("group", "app", "endpoint", "web")}})
			},
			func() error { return l.Accept(pick("name", endpoints...)) },
			func() error { return l.Reject(pick("name", endpoints...)) },
			func() error { return l.Delete(pick("name", endpoints...)) },
			func() error {
				on := yes.Draw(t, "acceptance")
				return l.ModifyService(&ServiceChange{Service: "api", AcceptanceRequired: &on, PrivateDNSName: pick("private name", "", "api.example.com", "b.example.org")})
			},
			func() error {
				return l.SetSubnets(&SubnetChange{LoadBalancer: "api", Subnets: []string{"provider/" + pick("one", "a", "b"), "provider/" + pick("two", "a", "b")}[:rapid.IntRange(1, 2).Draw(t, "count")]})
			},
			func() error { return l.DeleteService("api") },
			func() error { l.Advance(l.now.Add(time.Second)); return nil },
			func() error { _, err := l.StartPrivateDNSVerification("api"); return err },
		}
		kinds := map[string]dataplane.InterfaceID{}
		for range rapid.IntRange(1, 20).Draw(t, "edits") {
			_ = rapid.SampledFrom(edits).Draw(t, "edit")() // AWS may refuse it
			p := l.Compile()
			l.Names()
			for i, n := range p.Interfaces {
				if number, known := kinds[n.ID]; known && number != dataplane.InterfaceID(i) {
					t.Fatalf("%s was interface %d, and is %d", n.ID, number, i)
				}
				kinds[n.ID] = dataplane.InterfaceID(i)
				for _, a := range n.Addrs {
					if owner := p.VPCs[n.VPC].Addrs[a]; owner != dataplane.InterfaceID(i) {
						t.Fatalf("%s of %s is also of %s", a, n.Label, p.Interfaces[owner].Label)
					}
				}
			}
			for _, e := range l.Endpoints {
				if _, err := l.Describe(&Part{VPCEndpoint: e.Name}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
