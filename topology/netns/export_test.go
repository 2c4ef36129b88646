package netns

// Deafen has a fabric miss what the kernel tells from now on.
func (f *Fabric) Deafen() error { return f.unwatch() }

// Survey has a fabric find out what it missed.
func (f *Fabric) Survey() error { return f.survey() }
