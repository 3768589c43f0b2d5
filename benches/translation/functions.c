/* Pieces of the generated programs: `@` is the number of the function, `$1` to `$4` are small numbers. */
struct record@ { u64 key; u32 count, flags; u8 name[24]; struct record@ *next; };
noinline u64 f@(struct record@ *list, u64 wanted)
{
	u64 sum = $1;
	u32 depth = 0;
	for (; list; list = list->next, depth++) {
		if (list->key == wanted) {
			list->count += $2;
			sum += list->count * $3;
		} else if (list->flags & $4) {
			list->flags ^= (u32)wanted;
			sum ^= list->key >> 7;
		}
		for (u32 i = 0; i < 8; i++)
			sum = sum * 31 + list->name[(i + $1) % 24];
		if (depth > 100)
			break;
	}
	return sum + depth;
}
---
noinline u64 f@(const u8 *data, u64 length)
{
	u32 type, protocol, at = 14, sum = 0;
	if (length < 34)
		return $1;
	type = data[12] << 8 | data[13];
	if (type == 0x8100) {
		type = data[16] << 8 | data[17];
		at = 18;
	}
	if (type != 0x0800 && type != $2)
		return $3;
	protocol = data[at + 9];
	for (u32 i = 0; i < 20; i += 2)
		sum += data[at + i] << 8 | data[at + i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	switch (protocol) {
	case 1: return sum + $1;
	case 6: return sum ^ data[at + 20] * $2;
	case 17: return sum * $3 + data[at + 21];
	case 50: return call@(sum, $4);
	default: return sum + protocol;
	}
}
---
noinline u64 f@(u64 *memory, u64 count)
{
	u64 a = memory[0] ^ $1, b = memory[1] + $2, c = memory[2], d = $3;
	for (u64 i = 0; i < count; i++) {
		u64 t = a + (b << 3) + (c ^ d);
		if (t & 1)
			a = rol64(t, $4 & 31) ^ memory[i & 15];
		else
			b -= t >> 5 & $1;
		c = c * 5 + memory[(i + $2) & 15];
		d ^= a | c;
		if ((i64)d < 0)
			memory[i & 15] = b / ($3 | 1);
	}
	return call@(a + b, c ^ d);
}
---
noinline u64 f@(const char *text, u64 end)
{
	u64 value = 0, words = 0, lines = $1;
	int in_word = 0;
	for (u64 i = 0; i < end && text[i]; i++) {
		char c = text[i];
		if (c >= '0' && c <= '9') {
			value = value * 10 + (u64)(c - '0');
		} else if (c == ' ' || c == '\t') {
			words += (u64)in_word;
			in_word = 0;
			continue;
		} else if (c == '\n') {
			lines++;
			value += $2;
		} else if (c == '\\' && i + 1 < end) {
			i++;
			value ^= $3;
		}
		in_word = 1;
	}
	if (value > lines * $4)
		value = call@(value, words);
	return value + words * 3 + lines;
}
---
noinline u64 f@(u32 *table, u64 key)
{
	u32 hash = (u32)(key * 0x9e3779b97f4a7c15ULL >> 32) ^ $1, slot = hash & 255, local[8];
	for (u32 i = 0; i < 8; i++)
		local[i] = table[(slot + i * $2) & 255];
	for (u32 i = 1; i < 8; i++)
		for (u32 j = i; j > 0 && local[j - 1] > local[j]; j--) {
			u32 swapped = local[j];
			local[j] = local[j - 1];
			local[j - 1] = swapped;
		}
	if (local[7] - local[0] > $3)
		return call@(local[3], local[4]);
	table[slot] = hash + $4;
	return local[0] + ((u64)local[7] << 32);
}
