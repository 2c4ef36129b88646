#include "textflag.h"

// func Line(p *uint32)
TEXT ·Line(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func Lines(p *uint32)
TEXT ·Lines(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	PRFM 128(R0), PLDL1KEEP
	PRFM 192(R0), PLDL1KEEP
	RET

// func pairs(first **uint32, n int)
TEXT ·pairs(SB), NOSPLIT, $0-16
	MOVD first+0(FP), R1
	MOVD n+8(FP), R2

next:
	MOVD.P 8(R1), R0
	PRFM   (R0), PLDL1KEEP
	PRFM   64(R0), PLDL1KEEP
	SUBS   $1, R2
	BNE    next
	RET

// func cells(table *uint32, mask uint32, first *uint32, n int)
TEXT ·cells(SB), NOSPLIT, $0-32
	MOVD  table+0(FP), R1
	MOVWU mask+8(FP), R2
	MOVD  first+16(FP), R3
	MOVD  n+24(FP), R4

next:
	MOVWU.P 4(R3), R0
	AND     R2, R0
	ADD     R0<<3, R1, R0
	PRFM    (R0), PLDL1KEEP
	SUBS    $1, R4
	BNE     next
	RET
