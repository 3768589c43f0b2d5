/* The helpers of the instruction cases, by the link names of the kernel's helpers 5 and 6, and the symbol of the packet
   loads, whose context is the packet itself. */

unsigned long packet_size;

unsigned long bpf_helper_ktime_get_ns(unsigned long a)
{
	return a;
}

unsigned long bpf_helper_trace_printk(unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e)
{
	return a + 16 * b + 256 * c + 4096 * d + 65536 * e;
}

long bpf_load_packet(const unsigned char *packet, int offset, unsigned long bytes)
{
	long value = 0;

	if (offset < 0 || offset + bytes > packet_size)
		return -1;
	for (unsigned long i = 0; i < bytes; i++)
		value = value << 8 | packet[offset + i];
	return value;
}
