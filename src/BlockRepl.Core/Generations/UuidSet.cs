namespace BlockRepl.Core.Generations;

/// <summary>A node's generation identifiers: current, bitmap and the two history UUIDs. Bit 0 is a role mark.</summary>
public readonly record struct UuidSet(ulong Current, ulong Bitmap, ulong History1, ulong History2)
{
    /// <summary>The current UUID of meta data that never had data: "just created".</summary>
    public const ulong JustCreated = 4;

    /// <summary>Distance between the UUIDs of successive resyncs from the same generation.</summary>
    public const ulong SyncUuidStep = 1UL << 48;

    /// <summary>Without the role mark: what comparisons look at.</summary>
    public static ulong Masked(ulong uuid) => uuid & ~1UL;

    /// <summary>The current UUID is exactly "just created".</summary>
    public bool IsJustCreated => Current == JustCreated;

    /// <summary>Puts a UUID at the front of the history.</summary>
    public UuidSet PushHistory(ulong uuid) => this with { History1 = uuid, History2 = History1 };

    /// <summary>Sets the bitmap UUID; a former one goes to the history.</summary>
    public UuidSet SetBitmapRotating(ulong uuid) =>
        (Bitmap != 0 ? PushHistory(Bitmap) : this) with { Bitmap = uuid };

    /// <summary>Moves the bitmap UUID, if there is one, to the history: nothing is open any more.</summary>
    public UuidSet ClearBitmap() => Bitmap != 0 ? SetBitmapRotating(0) : this;

    /// <summary>
    /// Starts a data generation: the bitmap is relative to the old current UUID (its role mark stays). A former bitmap
    /// UUID is lost: callers test for 0 first, unless they force.
    /// </summary>
    public UuidSet NewCurrent(ulong random, bool primary) =>
        (this with { Bitmap = Current }).SetCurrent(Usable(random), primary);

    /// <summary>Sets the current UUID with the role mark of this node.</summary>
    public UuidSet SetCurrent(ulong uuid, bool primary) =>
        this with { Current = Masked(uuid) | (primary ? 1UL : 0UL) };

    /// <summary>The role mark after a promotion or demotion.</summary>
    public UuidSet WithRole(bool primary) => SetCurrent(Current, primary);

    /// <summary>Source, at the start of a resync: the new bitmap UUID, which P_SYNC_UUID tells the target.</summary>
    public UuidSet StartSyncSource(ulong random, out ulong syncUuid)
    {
        syncUuid = Bitmap is 0 or JustCreated ? Usable(random) : Bitmap + SyncUuidStep;
        return SetBitmapRotating(syncUuid);
    }

    /// <summary>Target, on P_SYNC_UUID: no data generation of its own any more.</summary>
    public UuidSet StartSyncTarget(ulong syncUuid, bool primary) => SetCurrent(syncUuid, primary) with { Bitmap = 0 };

    /// <summary>
    /// Target, at the end of a resync without failures: the peer's generation, with its history and the sync UUID in
    /// front.
    /// </summary>
    /// <param name="peer">
    /// The peer's set: of its last P_UUIDS (as corrected by the decision), or what a resync that finished later ended
    /// with.
    /// </param>
    /// <param name="primary">This node's role.</param>
    public UuidSet FinishSyncTarget(in UuidSet peer, bool primary) =>
        (peer with { Current = Current }).SetBitmapRotating(Current).SetCurrent(peer.Current, primary).ClearBitmap();

    /// <summary>Source, at the end of a resync without failures.</summary>
    public UuidSet FinishSyncSource() => ClearBitmap();

    /// <summary>A new UUID must be none of the two special ones.</summary>
    private static ulong Usable(ulong random) =>
        Masked(random) is 0 or JustCreated ? random ^ SyncUuidStep : random;
}
