/* Sudoku by backtracking over sets of candidates, the cell with the fewest first. */
#include "bench.h"

struct board {
	u16 rows[9], columns[9], boxes[9];
	u8 cells[81];
	u32 steps;
};

static const char puzzle[] = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";

static void toggle(struct board *board, u32 cell, u32 bit)
{
	board->rows[cell / 9] ^= (u16)bit;
	board->columns[cell % 9] ^= (u16)bit;
	board->boxes[cell / 27 * 3 + cell % 9 / 3] ^= (u16)bit;
}

static u32 candidates(const struct board *board, u32 cell)
{
	return 0x1ffu & ~(u32)(board->rows[cell / 9] | board->columns[cell % 9] | board->boxes[cell / 27 * 3 + cell % 9 / 3]);
}

static noinline int solve(struct board *board)
{
	u32 best = 81, fewest = 10, choices = 0;
	board->steps++;
	for (u32 cell = 0; cell < 81; cell++) {
		if (board->cells[cell])
			continue;
		u32 set = candidates(board, cell), count = (u32)__builtin_popcount(set);
		if (count < fewest) {
			best = cell;
			fewest = count;
			choices = set;
			if (count < 2)
				break;
		}
	}
	if (best == 81)
		return 1;
	for (u32 digit = 0; digit < 9; digit++) {
		if (!(choices >> digit & 1))
			continue;
		board->cells[best] = (u8)(digit + 1);
		toggle(board, best, 1u << digit);
		if (solve(board))
			return 1;
		toggle(board, best, 1u << digit);
		board->cells[best] = 0;
	}
	return 0;
}

u64 bench(void *buffer, u64 iterations)
{
	struct board *board = buffer;
	u64 sum = 0;
	for (u64 n = 0; n < iterations; n++) {
		for (u32 i = 0; i < 9; i++)
			board->rows[i] = board->columns[i] = board->boxes[i] = 0;
		board->steps = 0;
		for (u32 cell = 0; cell < 81; cell++) {
			/* One given is left out, another one each time. */
			u32 digit = cell == n * 7 % 81 || puzzle[cell] == '.' ? 0 : (u32)(puzzle[cell] - '0');
			board->cells[cell] = (u8)digit;
			if (digit)
				toggle(board, cell, 1u << (digit - 1));
		}
		sum += (u64)solve(board);
		for (u32 cell = 0; cell < 81; cell += 5)
			sum = sum * 9 + board->cells[cell];
		sum = mix(sum, board->steps);
	}
	return sum;
}
