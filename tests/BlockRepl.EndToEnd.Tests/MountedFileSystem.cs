using BlockRepl.Nodes;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// A mount that ends with the test, however the test ends. It lies in a shared mount, as everything does where systemd
/// runs: else a mount namespace that somebody makes meanwhile would keep a copy, and the device would stay in use.
/// </summary>
internal sealed class MountedFileSystem : IDisposable
{
    private readonly string _shared;
    private bool _mounted;

    public MountedFileSystem(Node node)
    {
        _shared = Directory.CreateDirectory(System.IO.Path.Combine(node.Folder, "mnt")).FullName;
        Path = Directory.CreateDirectory(System.IO.Path.Combine(_shared, "fs")).FullName;
        Tool.Run("mount", "--bind", _shared, _shared).OrThrow();
        Tool.Run("mount", "--make-shared", _shared).OrThrow();
        ToolResult mount = Tool.Run("mount", node.Device, Path);
        if (!mount.Succeeded)
        {
            Tool.Run("umount", _shared);
            mount.OrThrow();
        }

        _mounted = true;
    }

    public string Path { get; }

    public void Unmount()
    {
        Tool.Run("umount", Path).OrThrow();
        Tool.Run("umount", _shared).OrThrow();
        _mounted = false;
    }

    public void Dispose()
    {
        if (_mounted)
        {
            Tool.Run("umount", "-l", Path).OrThrow();
            Tool.Run("umount", "-l", _shared).OrThrow();
        }
    }
}
