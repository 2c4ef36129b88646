package topology

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
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
