package graph

import "strings"

// width says how wide a text is at most, in pixels: as wide as the widest of the common
// fonts without serifs has it, since nobody knows which one a reader's machine takes.
func width(s string, size int, bold bool) int {
	em := 0 // thousandths
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijl.,:;'|!", r):
			em += 400
		case strings.ContainsRune("frt()[]/- ", r):
			em += 500
		case strings.ContainsRune("mwMW@%&+=<>", r):
			em += 1110
		case r >= 'A' && r <= 'Z' || strings.ContainsRune("#^~", r):
			em += 860
		case r < 0x80:
			em += 720
		default:
			em += 1200
		}
	}
	if !bold {
		em = em * 93 / 100
	}
	return (em*size + 999) / 1000
}

// wrap breaks a text into lines of so many pixels: between words, or where a word is too
// long, within it, if it can be after a full stop, a hyphen or a slash.
func wrap(s string, room, size int, bold bool) []string {
	var all []string
	line := ""
	for _, word := range strings.Fields(oneLine(s)) {
		if line != "" && width(line+" "+word, size, bold) <= room {
			line += " " + word
			continue
		}
		if line != "" {
			all = append(all, line)
			line = ""
		}
		for _, r := range word {
			if line != "" && width(line+string(r), size, bold) > room {
				cut := strings.LastIndexAny(line, ".-/") + 1
				if cut == 0 {
					cut = len(line)
				}
				all = append(all, line[:cut])
				line = line[cut:]
			}
			line += string(r)
		}
	}
	return append(all, line)
}
