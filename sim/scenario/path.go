package scenario

import (
	"regexp"
	"strconv"
	"strings"
)

// Paths name values of a scenario as topology.Problem does: keys are joined with
// dots, elements of lists are numbered from 0 in brackets, and a key that is not a
// plain word stands in single quotes.

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join returns the path of a key below another.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = "'" + key + "'"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// item returns the path of a list's element.
func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// below returns a path that is relative to another in full.
func below(path, relative string) string {
	if relative == "" || strings.HasPrefix(relative, "[") {
		return path + relative
	}
	return path + "." + relative
}

// parent returns the path without its last key or index. Within a quoted key it
// stops short, at something that no value has for its path.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// label is the beginning of a message about the value at path: the end of the
// path that tells the reader which value is meant, as in "cidr_block: " or
// "targets[2]: ".
func label(path string) string {
	from := len(path)
	switch {
	case strings.HasSuffix(path, "'"):
		from = strings.LastIndex(path, "'") // the closing quote itself
		if open := strings.LastIndex(path[:from], ".'"); open >= 0 {
			return path[open+2:from] + ": "
		}
	case strings.HasSuffix(path, "]"):
		from = strings.LastIndexByte(path, '[')
	}
	if last := path[strings.LastIndexByte(path[:from], '.')+1:]; last != "" {
		return last + ": "
	}
	return ""
}
