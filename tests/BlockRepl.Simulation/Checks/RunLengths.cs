namespace BlockRepl.Simulation.Checks;

/// <summary>A slow, separate decoder of the run-length code of P_COMPRESSED_BITMAP: it only adds up the runs.</summary>
internal static class RunLengths
{
    /// <summary>Level by level: total bits, prefix bits, prefix value, smallest run.</summary>
    private static readonly (int Total, int Prefix, ulong Value, ulong From)[] Levels =
    [
        (2, 1, 0x00, 1), (3, 2, 0x01, 3), (5, 3, 0x03, 5), (7, 4, 0x07, 9), (10, 5, 0x0f, 17), (14, 6, 0x1f, 49),
        (21, 8, 0x3f, 305), (29, 8, 0x7f, 8497), (42, 8, 0xbf, 2105649), (64, 8, 0xff, 17181974833),
    ];

    /// <summary>Blocks that a packet's body (encoding byte, code) covers.</summary>
    public static ulong Total(ReadOnlySpan<byte> body)
    {
        int pad = (body[0] >> 4) & 7;
        if ((body[0] & 15) != 2)
        {
            throw new SimulationException($"a compressed bitmap with encoding byte {body[0]:x2}");
        }

        ReadOnlySpan<byte> code = body[1..];
        int end = (code.Length * 8) - pad;
        int position = 0;
        ulong total = 0;
        while (position < end)
        {
            ulong look = Look(code, position);
            (int Total, int Prefix, ulong Value, ulong From) level =
                Array.Find(Levels, l => (look & ((1UL << l.Prefix) - 1)) == l.Value);
            if (level.Total == 0 || position + level.Total > end)
            {
                throw new SimulationException("a compressed bitmap with a code that cannot be read");
            }

            ulong word = level.Total == 64 ? look : look & ((1UL << level.Total) - 1);
            total += (word >> level.Prefix) + level.From;
            position += level.Total;
        }

        return total;
    }

    private static ulong Look(ReadOnlySpan<byte> code, int position)
    {
        ulong value = 0;
        for (int i = 0; i < 64 && position + i < code.Length * 8; i++)
        {
            int bit = position + i;
            value |= (ulong)((code[bit / 8] >> (bit % 8)) & 1) << i;
        }

        return value;
    }
}
