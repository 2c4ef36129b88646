#include "textflag.h"

// func Line(p *uint32)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	PREFETCHT0 (AX)
	RET

// func Lines(p *uint32)
TEXT ·Lines(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	RET

// func pairs(first **uint32, n int)
TEXT ·pairs(SB), NOSPLIT, $0-16
	MOVQ first+0(FP), SI
	MOVQ n+8(FP), CX

next:
	MOVQ (SI), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	ADDQ $8, SI
	DECQ CX
	JNZ  next
	RET

// func cells(table *uint32, mask uint32, first *uint32, n int)
TEXT ·cells(SB), NOSPLIT, $0-32
	MOVQ table+0(FP), DI
	MOVL mask+8(FP), DX
	MOVQ first+16(FP), SI
	MOVQ n+24(FP), CX

next:
	MOVL (SI), AX
	ANDL DX, AX
	PREFETCHT0 (DI)(AX*8)
	ADDQ $4, SI
	DECQ CX
	JNZ  next
	RET
