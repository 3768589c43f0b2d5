/* The smallest program that calls the C library: what the translation benchmark starts. */
int snprintf(char *text, __SIZE_TYPE__ size, const char *format, ...);

int hello(char *text, __SIZE_TYPE__ size)
{
	return snprintf(text, size, "Hello, %s!", "world");
}
