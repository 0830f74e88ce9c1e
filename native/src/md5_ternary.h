/* The functions of MD5 as truth tables: the including file defines TERNARY(b, c, d, table). */
#define F(b, c, d) TERNARY(b, c, d, 0xca)
#define G(b, c, d) TERNARY(b, c, d, 0xe4)
#define H(b, c, d) TERNARY(b, c, d, 0x96)
#define I(b, c, d) TERNARY(b, c, d, 0x39)
