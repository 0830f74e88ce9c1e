using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace BlockRepl.Simulation.Checks;

/// <summary>What a write leaves in the sectors that it covers.</summary>
public enum WriteContent
{
    /// <summary>A pattern that names the write and the sector.</summary>
    Pattern,

    Zero,

    /// <summary>A discard: anything.</summary>
    Anything,
}

/// <summary>
/// One write of the application. Its moments are counted, not timed: <see cref="Submitted"/> and <see cref="Done"/>
/// order it against all other writes. A write that failed, or whose node crashed under it, is done without being in
/// order: its content may or may not be there.
/// </summary>
public sealed class AppWrite(ulong id, WriteContent content, int volume, long submitted)
{
    public ulong Id { get; } = id;

    public WriteContent Content { get; } = content;

    public int Volume { get; } = volume;

    public long Submitted { get; } = submitted;

    public long Done { get; set; } = long.MaxValue;

    /// <summary>It was acknowledged: whatever was done before it was submitted cannot be read any more.</summary>
    public bool Acknowledged { get; set; }

    /// <summary>Nodes (as bits) whose own disk refused it.</summary>
    public int FailedOn { get; set; }

    /// <summary>Nodes (as bits) that surely had it when it was acknowledged.</summary>
    public int CertainOn { get; set; }

    public override string ToString() =>
        $"#{Id} {Content} {(Acknowledged ? "acknowledged" : Done == long.MaxValue ? "running" : "uncertain")}";
}

/// <summary>The pattern of a write in a sector: 16 bytes that name both, then words that follow from them.</summary>
public static class Pattern
{
    public static void Fill(Span<byte> data, ulong writeId, int volume, ulong firstSector)
    {
        for (int offset = 0; offset < data.Length; offset += 512, firstSector++)
        {
            Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(data.Slice(offset, 512));
            ulong place = Place(volume, firstSector);
            ulong value = Start(writeId, place);
            words[0] = writeId;
            words[1] = place;
            for (int i = 2; i < words.Length; i++)
            {
                value += 0x9E3779B97F4A7C15;
                words[i] = value;
            }
        }
    }

    /// <summary>
    /// The write that a sector's content names; 0 if the sector is zero, null if it is no pattern of this place.
    /// </summary>
    public static ulong? Identify(ReadOnlySpan<byte> sector, int volume, ulong sectorNumber)
    {
        ulong id = BinaryPrimitives.ReadUInt64LittleEndian(sector);
        if (id == 0)
        {
            return sector.ContainsAnyExcept((byte)0) ? null : 0;
        }

        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(sector);
        ulong place = Place(volume, sectorNumber);
        ulong value = Start(id, place);
        if (words[1] != place)
        {
            return null;
        }

        for (int i = 2; i < words.Length; i++)
        {
            value += 0x9E3779B97F4A7C15;
            if (words[i] != value)
            {
                return null;
            }
        }

        return id;
    }

    private static ulong Place(int volume, ulong sector) => ((ulong)volume << 56) | sector;

    private static ulong Start(ulong id, ulong place) => (id * 0xD1342543DE82EF95) ^ (place * 0xF1357AEA2E62A9C5);
}
