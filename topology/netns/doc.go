// Package netns is the one privileged package: the sandbox that a real run
// lives in, network namespaces, the TAP devices that are their eth0, sockets
// and programs inside them. Nothing else in plsim imports netlink,
// golang.org/x/sys/unix or os/exec. It works on Linux only.
//
// A run is a chain of three processes, each a copy of the calling program:
//
//	outer   the user's process: waits, passes signals on, returns the exit code
//	init    PID 1 of new PID, mount, network, IPC and UTS namespaces
//	        (and of a user namespace where the caller has no privilege): reaps
//	lab     the program itself, which sees [Enter] return with inside true
//
// The death of any of them, by whatever signal, takes the others along, and
// the kernel takes back what they held: namespaces are anonymous, devices hang
// on file descriptors, files lie in a tmpfs of the sandbox. So there is nothing
// to clean up, and no code that does it.
package netns
