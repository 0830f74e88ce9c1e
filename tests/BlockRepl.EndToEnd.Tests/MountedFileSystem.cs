using BlockRepl.Nodes;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>A mount that ends with the test, however the test ends.</summary>
internal sealed class MountedFileSystem : IDisposable
{
    private bool _mounted;

    public MountedFileSystem(Node node)
    {
        Path = Directory.CreateDirectory(System.IO.Path.Combine(node.Folder, "mnt")).FullName;
        Tool.Run("mount", node.Device, Path).OrThrow();
        _mounted = true;
    }

    public string Path { get; }

    public void Unmount()
    {
        Tool.Run("umount", Path).OrThrow();
        _mounted = false;
    }

    public void Dispose()
    {
        if (_mounted)
        {
            Tool.Run("umount", "-l", Path).OrThrow();
        }
    }
}
