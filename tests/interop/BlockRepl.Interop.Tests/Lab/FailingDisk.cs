using System.Diagnostics;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// A disk for our daemon that can be made to fail: a file that QEMU's storage daemon shows again by FUSE, so that
/// requests to it go through the same layers as those of the guest's disks.
/// </summary>
internal sealed class FailingDisk : IDisposable
{
    private const string FuseConnections = "/sys/fs/fuse/connections";
    private readonly Process _server;

    public FailingDisk(string file, string folder)
    {
        Directory.CreateDirectory(folder);
        Path = System.IO.Path.Combine(folder, "disk");
        string socket = System.IO.Path.Combine(folder, "control");
        File.WriteAllBytes(Path, []);
        File.Delete(socket);
        _server = Tool.Start(
            Tool.Find("qemu-storage-daemon")!,
            "--blockdev", $"driver=file,node-name=file0,filename={file},discard=unmap",
            "--blockdev", "driver=raw,node-name=disk0,file=file0,discard=unmap",
            "--chardev", $"socket,path={socket},server=on,wait=off,id=control", "--monitor", "chardev=control",
            "--export", $"type=fuse,id=e0,node-name=disk0,mountpoint={Path},writable=on");
        Poll.Until(
            () => _server.HasExited || (File.Exists(socket) && new FileInfo(Path).Length > 0), "the failing disk",
            seen: () => _server.HasExited ? _server.StandardError.ReadToEnd() : "");
        WriteOneAtATime(Path);
        Control = new QemuControl(socket);
    }

    /// <summary>
    /// QEMU 7.2 takes the next request into the buffer of a write that is under way: the data end at a wrong place.
    /// </summary>
    private static void WriteOneAtATime(string mount)
    {
        string device = File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')).Single(f => f[4] == mount)[2];
        string limit = $"{FuseConnections}/{device.Split(':')[1]}/max_background";
        if (!File.Exists(limit))
        {
            Tool.Run(Tool.Find("mount")!, "-t", "fusectl", "none", FuseConnections).OrThrow();
        }

        File.WriteAllText(limit, "1");
    }

    /// <summary>What the daemon uses as its disk.</summary>
    public string Path { get; }

    public QemuControl Control { get; }

    public void Dispose()
    {
        Control.Quit();
        Control.Dispose();
        if (!_server.WaitForExit(TimeSpan.FromSeconds(20)))
        {
            _server.Kill();
            _server.WaitForExit();
        }

        _server.Dispose();
    }
}
