package graph

// legend is what the colours and dashes of lines mean, each beside a piece of a line,
// below the boxes. It returns where it ends.
func (p *canvas) legend() int {
	const sample = 36
	x, y := margin, p.h+2*leading
	for _, l := range legends {
		if wide := sample + width(l.text, textSize, false); x > margin && x+wide > p.w-margin {
			x, y = margin, y+leading
		}
		look := looks[l.mood]
		p.printf(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s" stroke-width="1.4"`, x, y-4, x+sample-inset, y-4, look.line)
		if look.dash != "" {
			p.printf(` stroke-dasharray="%s"`, look.dash)
		}
		p.printf("/>\n")
		p.text(line{text: l.text, x: x + sample, y: y, size: textSize, mood: l.mood})
		x += sample + width(l.text, textSize, false) + margin
	}
	return y + leading
}

// legends are in the order of the moods.
var legends = []struct {
	mood mood
	text string
}{
	{usable, "usable"},
	{waiting, "not yet, or not known yet"},
	{failing, "not usable"},
}
