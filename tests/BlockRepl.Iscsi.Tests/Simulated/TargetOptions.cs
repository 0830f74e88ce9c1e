namespace BlockRepl.Iscsi.Tests.Simulated;

/// <summary>How the simulated target is set up, and how it lies.</summary>
internal sealed record TargetOptions
{
    /// <summary>What initiators must prove; null = nothing.</summary>
    public (string User, string Secret)? Incoming { get; init; }

    /// <summary>What the target proves when asked.</summary>
    public (string User, string Secret)? Outgoing { get; init; }

    public int ChapAlgorithm { get; init; } = 5;

    public bool Digests { get; init; }

    public bool ImmediateData { get; init; } = true;

    /// <summary>Longest data segment that the target takes, and that it sends.</summary>
    public int Segment { get; init; } = 8192;

    public int Burst { get; init; } = 65536;

    /// <summary>The command window.</summary>
    public int Window { get; init; } = 32;

    /// <summary>Login answers are cut into pieces of this size.</summary>
    public int LoginPiece { get; init; } = 8192;

    public bool HasFua { get; init; } = true;

    public bool IsWriteProtected { get; init; }

    /// <summary>The commands that it does not know.</summary>
    public byte[] Unknown { get; init; } = [];

    /// <summary>Every PDU on its way out; what this gives is sent instead.</summary>
    public Func<TargetPdu, IEnumerable<TargetPdu>> Tamper { get; init; } = pdu => [pdu];

    /// <summary>SCSI status and sense (key, code) instead of carrying a command out; null = carry it out.</summary>
    public Func<byte[], (byte Status, byte Key, ushort Code)?> Fail { get; init; } = _ => null;

    /// <summary>The login's status class and detail, given the number of the login request; 0 = go on.</summary>
    public Func<int, int> LoginStatus { get; init; } = _ => 0;

    /// <summary>Keys that it adds to its answer to the operational keys, or instead of its own.</summary>
    public Dictionary<string, string> Keys { get; init; } = [];
}

/// <summary>The disk that all connections to the simulated target share.</summary>
internal sealed class SimulatedLun(int sectors, int sectorSize)
{
    public byte[] Content { get; set; } = new byte[sectors * sectorSize];

    public int SectorSize { get; } = sectorSize;

    public int SectorCount => Content.Length / SectorSize;

    /// <summary>Only what was written through or flushed counts.</summary>
    public HashSet<int> UnflushedSectors { get; } = [];
}
