using BlockRepl.Interop.Tests.Devices;

namespace BlockRepl.Interop.Tests.Fencing;

/// <summary>
/// A guest with softdog, both programs named sbd and a disk to share, that has just started: every node goes on from
/// there, which takes a second instead of ten.
/// </summary>
public sealed class SbdGuests : IDisposable
{
    private const string Series = "6.1";
    private const long LunBytes = 1 << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("brsbd").FullName;
    private readonly Lock _lock = new();
    private string? _files;

    private string Saved => Path.Combine(_folder, "started");

    private string EmptyLun => Path.Combine(_folder, "lun");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A disk of the default time-outs without slots, to be shared by the nodes of a test.</summary>
    internal string NewLun()
    {
        MakeReady();
        string path = Path.Combine(_folder, $"lun-{Guid.NewGuid():N}");
        File.Copy(EmptyLun, path);
        return path;
    }

    internal SbdNode Start(string name, bool original, string lun) =>
        new(DeviceGuest.Start(Series, _files!, Disk(lun), Saved), name, original);

    /// <summary>The host's memory is where the two guests' views of the disk are the same.</summary>
    private static string[] Disk(string path) =>
    [
        "-drive", $"if=none,id={SbdNode.LunDrive},format=raw,cache=unsafe,file.locking=off,file={path}",
        "-device", $"virtio-blk-pci,drive={SbdNode.LunDrive},share-rw=on",
    ];

    private void MakeReady()
    {
        lock (_lock)
        {
            if (_files is not null)
            {
                return;
            }

            string files = DeviceGuest.Prepare(Series, "sbd");
            using (FileStream lun = File.Create(EmptyLun))
            {
                lun.SetLength(LunBytes);
            }

            using DeviceGuest guest = DeviceGuest.Start(Series, files, Disk(EmptyLun), null);
            guest.Do("mkdir -p /var/lib/pacemaker/cores && syslogd -O /dev/console");
            guest.Do($"{SbdNode.OurProgram} -d {SbdNode.Lun} -2 0 create && sync");
            guest.Do($"blockdev --flushbufs /dev/vda && blockdev --flushbufs {SbdNode.Lun}");
            using QemuControl control = guest.Control();
            control.Save(Saved);
            _files = files;
        }
    }
}
