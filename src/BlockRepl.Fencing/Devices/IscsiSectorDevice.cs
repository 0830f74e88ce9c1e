using BlockRepl.Fencing.CommandLine;
using BlockRepl.Iscsi;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Devices;

/// <summary>
/// A disk behind an iSCSI target, without a kernel initiator. It keeps its deadlines itself, so it needs no thread of
/// its own: a connection can always be given up.
/// </summary>
internal sealed class IscsiSectorDevice : ISectorDevice
{
    private readonly IscsiDisk _disk;

    private IscsiSectorDevice(string name, IscsiDisk disk)
    {
        Name = name;
        _disk = disk;
    }

    public string Name { get; }

    public int SectorSize => _disk.SectorSize;

    public long SectorCount => _disk.SectorCount;

    public string? LastError { get; private set; }

    /// <exception cref="SbdException">The address is none, or the disk cannot be opened in time.</exception>
    public static IscsiSectorDevice Open(string text, TimeSpan within)
    {
        try
        {
            IscsiAddress address = IscsiAddress.Parse(text);
            return new IscsiSectorDevice(address.ToString(), IscsiDisk.Open(address, within));
        }
        catch (IOException failure)
        {
            throw new SbdException(failure.Message);
        }
    }

    public SectorError Read(long sector, Span<byte> into, TimeSpan within)
    {
        try
        {
            _disk.Read(sector, into[..SectorSize], within);
            return Note(null);
        }
        catch (IOException failure)
        {
            return Note(failure);
        }
    }

    /// <summary>With what is in between: one command costs less than many.</summary>
    public SectorError ReadEach(long first, int stride, Span<byte> into, TimeSpan within, out int count)
    {
        var wanted = into.Length / SectorSize;
        var whole = new byte[(((wanted - 1) * stride) + 1) * SectorSize];
        count = 0;
        if (first + (whole.Length / SectorSize) > SectorCount)
        {
            // Up to its end, for who wants to see what there is.
            for (; count < wanted; count++)
            {
                var error = Read(first + (count * stride), into[(count * SectorSize)..], within);
                if (error != SectorError.None)
                {
                    return error;
                }
            }

            return SectorError.None;
        }

        try
        {
            _disk.Read(first, whole, within);
        }
        catch (IOException failure)
        {
            return Note(failure);
        }

        for (; count < wanted; count++)
        {
            whole.AsSpan(count * stride * SectorSize, SectorSize).CopyTo(into[(count * SectorSize)..]);
        }

        return Note(null);
    }

    public SectorError Write(long sector, ReadOnlySpan<byte> from, TimeSpan within)
    {
        try
        {
            _disk.Write(sector, from[..SectorSize], within);
            return Note(null);
        }
        catch (IOException failure)
        {
            return Note(failure);
        }
    }

    public void Dispose() => _disk.Dispose();

    private SectorError Note(IOException? failure)
    {
        LastError = failure?.Message;
        return failure switch
        {
            null => SectorError.None,
            IscsiException { Error: IscsiError.TimedOut } => SectorError.TimedOut,
            _ => SectorError.Failed,
        };
    }
}
