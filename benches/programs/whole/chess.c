/* Moves of chess on bit boards: sliding pieces by rays, jumping ones by shifts, and a count to a depth (perft-like). */
#include "bench.h"

enum { KNIGHT, BISHOP, ROOK, QUEEN, KING, KINDS };

struct side {
	u64 pieces[KINDS];
};

static const i8 steps[8][2] = { { 0, 1 }, { 1, 0 }, { 0, -1 }, { -1, 0 }, { 1, 1 }, { 1, -1 }, { -1, -1 }, { -1, 1 } };
static const i8 jumps[8][2] = { { 1, 2 }, { 2, 1 }, { 2, -1 }, { 1, -2 }, { -1, -2 }, { -2, -1 }, { -2, 1 }, { -1, 2 } };

static u32 lowest(u64 board)
{
	return (u32)__builtin_ctzll(board);
}

static u64 all(const struct side *side)
{
	return side->pieces[0] | side->pieces[1] | side->pieces[2] | side->pieces[3] | side->pieces[4];
}

static noinline u64 slide(u32 square, u64 occupied, u32 first, u32 last)
{
	u64 moves = 0;
	for (u32 way = first; way < last; way++) {
		i32 x = (i32)(square & 7) + steps[way][0], y = (i32)(square >> 3) + steps[way][1];
		while ((u32)x < 8 && (u32)y < 8) {
			u64 bit = 1ull << (8 * y + x);
			moves |= bit;
			if (occupied & bit)
				break;
			x += steps[way][0];
			y += steps[way][1];
		}
	}
	return moves;
}

static noinline u64 jump(u32 square, const i8 (*ways)[2])
{
	u64 moves = 0;
	for (u32 way = 0; way < 8; way++) {
		i32 x = (i32)(square & 7) + ways[way][0], y = (i32)(square >> 3) + ways[way][1];
		if ((u32)x < 8 && (u32)y < 8)
			moves |= 1ull << (8 * y + x);
	}
	return moves;
}

static u64 moves(u32 kind, u32 square, u64 occupied)
{
	switch (kind) {
	case KNIGHT:
		return jump(square, jumps);
	case BISHOP:
		return slide(square, occupied, 4, 8);
	case ROOK:
		return slide(square, occupied, 0, 4);
	case QUEEN:
		return slide(square, occupied, 0, 8);
	default:
		return jump(square, steps);
	}
}

/* How many positions there are after `depth` moves; kings may be taken. */
static noinline u64 count(const struct side *own, const struct side *other, u32 depth)
{
	u64 mine = all(own), occupied = mine | all(other), nodes = 0;
	for (u32 kind = 0; kind < KINDS; kind++)
		for (u64 left = own->pieces[kind]; left; left &= left - 1) {
			u32 from = lowest(left);
			u64 targets = moves(kind, from, occupied) & ~mine;
			if (depth == 1) {
				nodes += (u64)__builtin_popcountll(targets);
				continue;
			}
			for (; targets; targets &= targets - 1) {
				struct side moved = *own, rest = *other;
				u64 to = targets & -targets;
				moved.pieces[kind] ^= 1ull << from | to;
				for (u32 i = 0; i < KINDS; i++)
					rest.pieces[i] &= ~to;
				nodes += count(&rest, &moved, depth - 1);
			}
		}
	return nodes;
}

u64 bench(void *buffer, u64 iterations)
{
	struct side *white = buffer, *black = white + 1;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < KINDS; i++)
			white->pieces[i] = black->pieces[i] = 0;
		white->pieces[KING] = 1ull << (4 + n % 4);
		white->pieces[QUEEN] = 1ull << 27;
		white->pieces[KNIGHT] = 1ull << 18;
		black->pieces[KING] = 1ull << 60;
		black->pieces[ROOK] = 1ull << 56 | 1ull << 63;
		black->pieces[BISHOP] = 1ull << (33 + n % 8);
		sum = mix(sum, count(white, black, 2));
	}
	return sum;
}
