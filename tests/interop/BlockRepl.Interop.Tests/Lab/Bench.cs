namespace BlockRepl.Interop.Tests;

/// <summary>
/// A segment and the two nodes on it, for one script after the other. The guest stays on between scripts unless one
/// cut its power.
/// </summary>
internal sealed class Bench : IDisposable
{
    public Bench(GuestImage image, int number)
    {
        Folder = Directory.CreateTempSubdirectory("interop-").FullName;
        Segment = new NetworkSegment(number, Laboratory.HasTwoKernels);
        Kernel = AddGuest(image, new Guest.Place("kernel", 2, NetworkSegment.Tap));
        BlockRepl = Laboratory.HasTwoKernels
            ? AddGuest(image, new Guest.Place("blockrepl", 1, NetworkSegment.SecondTap))
            : new BlockReplHost(Segment, Folder, new Disks(Folder, "ours"), HandlerRecord);
    }

    public string Folder { get; }

    public NetworkSegment Segment { get; }

    public Guest Guest => Kernel.Guest;

    /// <summary>Our daemon, or a second kernel in its place.</summary>
    public Host BlockRepl { get; }

    public KernelHost Kernel { get; }

    private string HandlerRecord => $"/tmp/{Segment.Name}-handlers";

    private KernelHost AddGuest(GuestImage image, Guest.Place place)
    {
        var disks = new Disks(Folder, place.HostName + "-disk");
        var guest = new Guest(Segment, place, image, Path.Combine(Folder, place.HostName), disks.Paths);
        return new KernelHost(place.HostName, guest, disks, HandlerRecord);
    }

    /// <summary>Ends what it started.</summary>
    public void Dispose()
    {
        (BlockRepl as IDisposable)?.Dispose();
        Kernel.Dispose();
        Segment.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
