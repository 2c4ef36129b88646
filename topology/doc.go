// Package topology is the lab as data: what its author wrote ([Spec]), what AWS
// would make of it ([New], [Lab]), the changes of its life ([Lab.Accept] and the
// other edits), and what each side needs of it: the forwarder its program
// ([Lab.Compile]), the resolvers their names ([Lab.Names]), scenarios their
// variables ([Lab.Variable]). It reads no file and no clock.
package topology
