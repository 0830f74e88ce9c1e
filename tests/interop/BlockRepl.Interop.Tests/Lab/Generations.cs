using System.Globalization;

namespace BlockRepl.Interop.Tests;

/// <summary>The generation identifiers of a volume, as <c>get-gi</c> prints them.</summary>
internal readonly record struct Generations(ulong Current, ulong Bitmap, ulong History1, ulong History2)
{
    /// <summary>Bit 0 says which role wrote it and is no part of the identity.</summary>
    private const ulong RoleBit = 1;
    private const ulong JustCreated = 4;

    /// <param name="text">CURRENT:BITMAP:HISTORY:HISTORY:FLAGS…, hexadecimal.</param>
    public static Generations Parse(string text)
    {
        string line = text.Split('\n').Last(l => l.Count(c => c == ':') >= 4);
        ulong[] ids = line.Split(':').Take(4)
            .Select(id => ulong.Parse(id, NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .ToArray();
        return new Generations(ids[0], ids[1], ids[2], ids[3]);
    }

    /// <summary>
    /// What two nodes in sync must agree on. That a disk was new once stays in the history of a kernel that was the
    /// target of a resync after a skipped first sync, and in no other's.
    /// </summary>
    public Generations WithoutRoles() =>
        new(Current & ~RoleBit, Bitmap & ~RoleBit, Old(History1), Old(History2));

    private static ulong Old(ulong uuid) => uuid == JustCreated ? 0 : uuid & ~RoleBit;

    public override string ToString() => $"{Current:X16}:{Bitmap:X16}:{History1:X16}:{History2:X16}";
}
