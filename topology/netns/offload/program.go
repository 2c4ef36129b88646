package offload

import "github.com/cilium/ebpf/asm"

type instruction = asm.Instruction

// The fields of struct __sk_buff that the programs read.
const (
	skbLen     = 0
	skbVLAN    = 20 // whether a tag was taken off the frame
	skbIfindex = 40
	skbData    = 76
	skbDataEnd = 80
	skbGSOSize = 176
)

// Offsets in a frame, and what is found there. Loads are little endian words of bytes in
// network order, since only little endian machines run them.
const (
	ethLen  = 14
	ipv4Len = 20
	ipv6Len = 40
	tcpLen  = 20
	udpLen  = 8

	etherIPv4 = 0x0008
	etherIPv6 = 0xdd86
	fragment  = 0xff3f // more fragments, or an offset
	mapped    = -65536 // the bytes 0, 0, 0xff, 0xff before an IPv4 address
	protoTCP  = 6
	protoUDP  = 17
	turns     = 7 // FIN, SYN, RST
)

// What is kept on the stack, by its offset from the frame pointer.
const (
	stackKey      = -keySize
	stackLen      = stackKey - 8*(1+iota) // of the IP packet, in bytes
	stackTTL                              // time to live
	stackHeader                           // length of the transport header
	stackL4                               // offset of the transport header
	stackProto                            // IP protocol
	stackSegments                         // packets that a superframe stands for
)

// in returns the program at the fabric's end of an instance's device: what belongs to a
// direction that is in the table goes straight to the receiver's device, and all else to
// the TAP beside it, whose number differs in the last bit.
//
// The packet walk decides ([dataplane.Borrower]); here nothing is but to do again what was decided. A packet
// that says more than that its flow goes on, or that may not pass, is left as it came.
func in(table, state int) []instruction {
	p := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, skbDataEnd, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, skbVLAN, asm.Word),
		asm.JNE.Imm(asm.R1, 0, "walk"),
		asm.LoadMem(asm.R1, asm.R6, skbIfindex, asm.Word),
		asm.StoreMem(asm.RFP, stackKey+keyIn, asm.R1, asm.Word),
		asm.StoreImm(asm.RFP, stackKey+keyPad, 0, asm.Word),
	}
	p = append(p, room(ethLen+ipv4Len)...)
	p = append(p,
		asm.LoadMem(asm.R1, asm.R7, 12, asm.Half),
		asm.JEq.Imm(asm.R1, etherIPv6, "ipv6"),
		asm.JNE.Imm(asm.R1, etherIPv4, "walk"),
	)
	p = append(p, parseIPv4()...)
	p = append(p, parseIPv6()...)
	p = append(p, parseTransport()...)
	p = append(p, judge(table, state)...)
	p = append(p, count(state)...)
	p = append(p, rewrite()...)
	return append(p,
		asm.LoadMem(asm.R1, asm.R9, entryOut, asm.Word),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirectPeer.Call(),
		asm.Return(),

		asm.LoadMem(asm.R1, asm.R6, skbIfindex, asm.Word).WithSymbol("walk"),
		asm.Xor.Imm(asm.R1, 1),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
	)
}

// out returns the program at the fabric's TAP: what the walk sends goes on to the
// instance's device.
func out() []instruction {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R1, skbIfindex, asm.Word),
		asm.Xor.Imm(asm.R1, 1),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirectPeer.Call(),
		asm.Return(),
	}
}

// room makes sure that the frame, which begins at R7, has n bytes.
func room(n int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Imm(asm.R1, n),
		asm.JGT.Reg(asm.R1, asm.R8, "walk"),
	}
}

// move copies n bytes, of which there are whole words, between memory.
func move(to asm.Register, at int16, from asm.Register, begin int16, n int16) (p asm.Instructions) {
	for i := int16(0); i < n; i += 4 {
		p = append(p, asm.LoadMem(asm.R1, from, begin+i, asm.Word), asm.StoreMem(to, at+i, asm.R1, asm.Word))
	}
	return p
}

// Both of the next leave in R0 the transport header, in R3 the length of the IP packet, in
// R4 its time to live and in R5 its protocol.

func parseIPv4() asm.Instructions {
	p := asm.Instructions{
		asm.LoadMem(asm.R1, asm.R7, ethLen, asm.Byte),
		asm.JNE.Imm(asm.R1, 0x45, "walk"),
		asm.LoadMem(asm.R1, asm.R7, ethLen+6, asm.Half),
		asm.And.Imm(asm.R1, fragment),
		asm.JNE.Imm(asm.R1, 0, "walk"),
		asm.LoadMem(asm.R3, asm.R7, ethLen+2, asm.Half),
		asm.HostTo(asm.BE, asm.R3, asm.Half),
		asm.LoadMem(asm.R4, asm.R7, ethLen+8, asm.Byte),
		asm.LoadMem(asm.R5, asm.R7, ethLen+9, asm.Byte),
	}
	for _, key := range []int16{keySrc, keyDst} {
		p = append(p,
			asm.StoreImm(asm.RFP, stackKey+key, 0, asm.Word),
			asm.StoreImm(asm.RFP, stackKey+key+4, 0, asm.Word),
			asm.StoreImm(asm.RFP, stackKey+key+8, mapped, asm.Word),
		)
	}
	p = append(p, move(asm.RFP, stackKey+keySrc+12, asm.R7, ethLen+12, 4)...)
	p = append(p, move(asm.RFP, stackKey+keyDst+12, asm.R7, ethLen+16, 4)...)
	return append(p,
		asm.Mov.Imm(asm.R1, ethLen+ipv4Len),
		asm.StoreMem(asm.RFP, stackL4, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R0, asm.R7),
		asm.Add.Imm(asm.R0, ethLen+ipv4Len),
		asm.Ja.Label("transport"),
	)
}

func parseIPv6() asm.Instructions {
	p := room(ethLen + ipv6Len)
	p[0] = p[0].WithSymbol("ipv6")
	p = append(p,
		asm.LoadMem(asm.R1, asm.R7, ethLen, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, "walk"),
		asm.LoadMem(asm.R3, asm.R7, ethLen+4, asm.Half),
		asm.HostTo(asm.BE, asm.R3, asm.Half),
		asm.Add.Imm(asm.R3, ipv6Len),
		asm.LoadMem(asm.R5, asm.R7, ethLen+6, asm.Byte),
		asm.LoadMem(asm.R4, asm.R7, ethLen+7, asm.Byte),
	)
	p = append(p, move(asm.RFP, stackKey+keySrc, asm.R7, ethLen+8, 32)...)
	return append(p,
		asm.Mov.Imm(asm.R1, ethLen+ipv6Len),
		asm.StoreMem(asm.RFP, stackL4, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R0, asm.R7),
		asm.Add.Imm(asm.R0, ethLen+ipv6Len),
	)
}

// parseTransport completes the key. The IP packet must fill the frame.
func parseTransport() asm.Instructions {
	ports := func(n int32) asm.Instructions {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, asm.R0),
			asm.Add.Imm(asm.R1, n),
			asm.JGT.Reg(asm.R1, asm.R8, "walk"),
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.StoreMem(asm.RFP, stackKey+keyPorts, asm.R1, asm.Word),
		}
	}
	p := asm.Instructions{
		asm.StoreMem(asm.RFP, stackLen, asm.R3, asm.DWord).WithSymbol("transport"),
		asm.StoreMem(asm.RFP, stackTTL, asm.R4, asm.DWord),
		asm.StoreMem(asm.RFP, stackProto, asm.R5, asm.DWord),
		asm.StoreMem(asm.RFP, stackKey+keyProto, asm.R5, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, skbLen, asm.Word),
		asm.Add.Imm(asm.R3, ethLen),
		asm.JNE.Reg(asm.R1, asm.R3, "walk"),
		asm.JEq.Imm(asm.R5, protoUDP, "udp"),
		asm.JNE.Imm(asm.R5, protoTCP, "walk"),
	}
	p = append(p, ports(tcpLen)...)
	p = append(p,
		asm.LoadMem(asm.R1, asm.R0, 13, asm.Byte),
		asm.And.Imm(asm.R1, turns),
		asm.JNE.Imm(asm.R1, 0, "walk"),
		asm.LoadMem(asm.R1, asm.R0, 12, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.LSh.Imm(asm.R1, 2),
		asm.StoreMem(asm.RFP, stackHeader, asm.R1, asm.DWord),
		asm.Ja.Label("judge"),
	)
	udp := ports(udpLen)
	udp[0] = udp[0].WithSymbol("udp")
	p = append(p, udp...)
	return append(p, asm.Mov.Imm(asm.R1, udpLen),
		asm.StoreMem(asm.RFP, stackHeader, asm.R1, asm.DWord))
}

// judge finds the flow, in R9, and whether this packet may go its way. It leaves the time in
// R0, and on the stack what the packet is on the wire.
func judge(table, state int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, table).WithSymbol("judge"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, int32(stackKey)),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "walk"),
		asm.Mov.Reg(asm.R9, asm.R0),

		asm.LoadMapValue(asm.R2, state, stateTerm),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Word),
		asm.LoadMem(asm.R1, asm.R9, entryTerm, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, "walk"),

		// The other family, by addresses that look the same.
		asm.LoadMem(asm.R1, asm.R9, entryL4, asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, stackL4, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "walk"),

		// Nobody sends in another's name, nor to a group.
		asm.LoadMem(asm.R1, asm.R7, 6, asm.Word),
		asm.LoadMem(asm.R2, asm.R9, entrySender, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, "walk"),
		asm.LoadMem(asm.R1, asm.R7, 10, asm.Half),
		asm.LoadMem(asm.R2, asm.R9, entrySender+4, asm.Half),
		asm.JNE.Reg(asm.R1, asm.R2, "walk"),
		asm.LoadMem(asm.R1, asm.R7, 0, asm.Byte),
		asm.And.Imm(asm.R1, 1),
		asm.JNE.Imm(asm.R1, 0, "walk"),

		asm.LoadMem(asm.R2, asm.RFP, stackL4, asm.DWord),
		asm.LoadMem(asm.R1, asm.R9, entryTTL, asm.Word),
		asm.LoadMem(asm.R3, asm.RFP, stackTTL, asm.DWord),
		asm.JLE.Reg(asm.R3, asm.R1, "walk"),

		// A superframe: R2 becomes the headers of each packet, R3 all their payload, R4 how
		// much of it each has, R5 how many they are.
		asm.LoadMem(asm.R1, asm.RFP, stackLen, asm.DWord),
		asm.Mov.Imm(asm.R5, 1),
		asm.LoadMem(asm.R4, asm.R6, skbGSOSize, asm.Word),
		asm.JEq.Imm(asm.R4, 0, "length"),
		asm.Sub.Imm(asm.R2, ethLen),
		asm.LoadMem(asm.R3, asm.RFP, stackHeader, asm.DWord),
		asm.Add.Reg(asm.R2, asm.R3),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.Sub.Reg(asm.R3, asm.R2),
		asm.JSLE.Reg(asm.R3, asm.R4, "length"),
		asm.Mov.Reg(asm.R5, asm.R3),
		asm.Add.Reg(asm.R5, asm.R4),
		asm.Sub.Imm(asm.R5, 1),
		asm.Div.Reg(asm.R5, asm.R4),
		asm.Mov.Reg(asm.R1, asm.R5),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.Add.Reg(asm.R1, asm.R3),
		asm.StoreMem(asm.RFP, stackLen, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R2),
		asm.Add.Reg(asm.R1, asm.R4),

		asm.StoreMem(asm.RFP, stackSegments, asm.R5, asm.DWord).WithSymbol("length"),
		asm.LoadMem(asm.R2, asm.R9, entryMTU, asm.Word),
		asm.JGT.Reg(asm.R1, asm.R2, "walk"),

		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.LoadMem(asm.R2, asm.R9, entryLast, asm.DWord),
		asm.Sub.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R2, asm.R9, entryIdle, asm.DWord),
		asm.JSGE.Reg(asm.R1, asm.R2, "walk"),
	}
}

// count notes that the packet passed, at the time in R0.
func count(state int) asm.Instructions {
	return asm.Instructions{
		asm.StoreMem(asm.R9, entryLast, asm.R0, asm.DWord),
		asm.LoadMapValue(asm.R1, state, stateRound),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Word),
		asm.LoadMem(asm.R2, asm.R9, entryRound, asm.Word),
		asm.JEq.Reg(asm.R1, asm.R2, "count"),
		asm.StoreMem(asm.R9, entryRound, asm.R1, asm.Word),
		asm.StoreMem(asm.R9, entryFirst, asm.R0, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, stackSegments, asm.DWord).WithSymbol("count"),
		asm.AddAtomic.Mem(asm.R9, asm.R1, asm.DWord, entryPackets),
		asm.LoadMem(asm.R1, asm.RFP, stackLen, asm.DWord),
		asm.AddAtomic.Mem(asm.R9, asm.R1, asm.DWord, entryBytes),
	}
}

// rewrite makes the packet what its receiver gets.
func rewrite() asm.Instructions {
	p := move(asm.R7, 0, asm.R9, entryMACs, 12)
	p = append(p,
		asm.LoadMem(asm.R3, asm.R9, entryTTL, asm.Word),
		asm.LoadMem(asm.R4, asm.R9, entryNAT, asm.Word),
		asm.LoadMem(asm.R1, asm.RFP, stackL4, asm.DWord),
		asm.JEq.Imm(asm.R1, ethLen+ipv6Len, "rewrite6"),

		asm.LoadMem(asm.R1, asm.R7, ethLen+8, asm.Byte),
		asm.Sub.Reg(asm.R1, asm.R3),
		asm.StoreMem(asm.R7, ethLen+8, asm.R1, asm.Byte),
		asm.LoadMem(asm.R1, asm.R7, ethLen+10, asm.Half),
		asm.Xor.Imm(asm.R1, 0xffff),
		asm.LoadMem(asm.R2, asm.R9, entryIPDelta, asm.Word),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 16),
		asm.And.Imm(asm.R1, 0xffff),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 16),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.Xor.Imm(asm.R1, 0xffff),
		asm.StoreMem(asm.R7, ethLen+10, asm.R1, asm.Half),
		asm.JEq.Imm(asm.R4, 0, "send"),
	)
	p = append(p, move(asm.R7, ethLen+12, asm.R9, entrySrc+12, 4)...)
	p = append(p, move(asm.R7, ethLen+16, asm.R9, entryDst+12, 4)...)
	p = append(p, move(asm.R7, ethLen+ipv4Len, asm.R9, entryPorts, 4)...)
	p = append(p,
		asm.Ja.Label("checksum"),

		asm.LoadMem(asm.R1, asm.R7, ethLen+7, asm.Byte).WithSymbol("rewrite6"),
		asm.Sub.Reg(asm.R1, asm.R3),
		asm.StoreMem(asm.R7, ethLen+7, asm.R1, asm.Byte),
		asm.JEq.Imm(asm.R4, 0, "send"),
	)
	p = append(p, move(asm.R7, ethLen+8, asm.R9, entrySrc, 32)...)
	p = append(p, move(asm.R7, ethLen+ipv6Len, asm.R9, entryPorts, 4)...)

	// What the pseudo-header changes is for every checksum; what the ports change, which
	// are summed up with the segment, only for those that are complete. The kernel knows
	// which one is. A datagram without a checksum keeps none.
	const pseudo, mangled = 0x10, 0x20
	p = append(p,
		asm.LoadMem(asm.R7, asm.RFP, stackL4, asm.DWord).WithSymbol("checksum"),
		asm.Mov.Imm(asm.R8, 0),
		asm.LoadMem(asm.R1, asm.RFP, stackProto, asm.DWord),
		asm.Add.Imm(asm.R7, 16),
		asm.JEq.Imm(asm.R1, protoTCP, "replace"),
		asm.Sub.Imm(asm.R7, 10),
		asm.Mov.Imm(asm.R8, mangled),
	)
	p = append(p, replace(entryAddrDelta)...)
	p[len(p)-6] = p[len(p)-6].WithSymbol("replace")
	p = append(p[:len(p)-1], asm.Or.Imm(asm.R5, pseudo), asm.FnL4CsumReplace.Call())
	p = append(p, replace(entryPortDelta)...)
	return append(p, asm.Mov.Imm(asm.R0, 0).WithSymbol("send"))
}

// replace changes the checksum at the offset in R7 by a delta of the flow, with the flags in
// R8.
func replace(delta int16) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.LoadMem(asm.R4, asm.R9, delta, asm.Word),
		asm.Mov.Reg(asm.R5, asm.R8),
		asm.FnL4CsumReplace.Call(),
	}
}
