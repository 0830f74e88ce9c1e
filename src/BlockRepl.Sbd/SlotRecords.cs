namespace BlockRepl.Sbd;

/// <summary>A node's slot: who owns it.</summary>
public readonly record struct NodeSlot(sbyte InUse, NodeName Name)
{
    /// <summary>So many bytes tell two slots apart.</summary>
    public const int IdentityBytes = 1 + NodeName.FieldBytes;

    /// <summary>Whoever looks for a free slot or a name goes by this: anything but zero is in use.</summary>
    public bool IsOwned => InUse != 0;

    public static NodeSlot Parse(ReadOnlySpan<byte> sector) =>
        new((sbyte)sector[0], NodeName.FromBytes(sector.Slice(1, NodeName.FieldBytes)));

    /// <summary>Writes the whole sector.</summary>
    public static void Write(Span<byte> sector, NodeName name)
    {
        sector.Clear();
        sector[0] = 1;
        name.WriteTo(sector[1..]);
    }
}

/// <summary>A node's mailbox: the message and who sent it.</summary>
public readonly record struct Mailbox(Message Message, NodeName Sender)
{
    public static Mailbox Parse(ReadOnlySpan<byte> sector) =>
        new((Message)(sbyte)sector[0], NodeName.FromBytes(sector.Slice(1, NodeName.FieldBytes)));

    /// <summary>Writes the whole sector.</summary>
    public static void Write(Span<byte> sector, Message message, NodeName sender)
    {
        sector.Clear();
        sector[0] = (byte)message;
        sender.WriteTo(sector[1..]);
    }
}
