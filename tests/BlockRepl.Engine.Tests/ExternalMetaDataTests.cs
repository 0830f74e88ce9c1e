using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Engine.Tests;

public sealed class ExternalMetaDataTests : IDisposable
{
    private const long DataBytes = 16 << 20;

    private readonly string _directory = Directory.CreateTempSubdirectory("brn-ext-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Two_volumes_share_one_indexed_meta_data_device()
    {
        var meta = Make("meta", 300L << 20);
        VolumeDisk[] disks =
        [
            new(0, Make("data0", DataBytes), MetaDataKind.IndexedExternal, meta, 0),
            new(1, Make("data1", DataBytes), MetaDataKind.IndexedExternal, meta, 1),
        ];
        Array.ForEach(disks, CreateMeta);

        await AttachAndCheck(disks);
    }

    [Fact]
    public async Task Flexible_external_meta_data_leave_the_whole_disk_to_the_device()
    {
        VolumeDisk[] disks =
        [
            new(0, Make("data0", DataBytes), MetaDataKind.FlexibleExternal, Make("meta0", 2 << 20), 0),
        ];
        Array.ForEach(disks, CreateMeta);

        await AttachAndCheck(disks);
    }

    [Fact]
    public async Task A_meta_data_device_that_is_not_there_is_refused_and_the_disk_is_let_go()
    {
        var data = Make("data0", DataBytes);
        using var engine = Start([new(0, data, MetaDataKind.FlexibleExternal, Path.Combine(_directory, "absent"), 0)]);

        var refused = await engine.AttachAsync(0);

        Assert.Equal(105, refused.Code);
        Assert.Contains("absent", refused.Message, StringComparison.Ordinal);
        using var other = Start([new(0, data, MetaDataKind.Internal, null, 0)]);
        Assert.NotEqual(104, (await other.AttachAsync(0)).Code);
    }

    [Fact]
    public async Task Two_engines_cannot_use_one_disk()
    {
        VolumeDisk[] disks =
            [new(0, Make("data0", DataBytes), MetaDataKind.FlexibleExternal, Make("meta0", 2 << 20), 0)];
        Array.ForEach(disks, CreateMeta);
        using var first = Start(disks);
        using var second = Start(disks);
        Assert.True((await first.AttachAsync(0)).Succeeded);

        var refused = await second.AttachAsync(0);

        Assert.Equal(104, refused.Code);
        Assert.Contains("in use", refused.Message, StringComparison.Ordinal);
        Assert.True((await first.ExecuteAsync(new AdminCommand.Detach(0, Force: false))).Succeeded);
        Assert.True((await second.AttachAsync(0)).Succeeded);
    }

    private static async Task AttachAndCheck(VolumeDisk[] disks)
    {
        using var engine = Start(disks);
        foreach (var disk in disks)
        {
            var attached = await engine.AttachAsync(disk.Volume);
            Assert.True(attached.Succeeded, attached.Message);
        }

        Assert.True((await engine.ExecuteAsync(new AdminCommand.SetRole(Primary: true, Force: true))).Succeeded);
        var status = await engine.GetStatusAsync();
        Assert.All(status, s => Assert.Equal((Role.Primary, DiskState.UpToDate), (s.Role, s.Disk)));
        Assert.All(status, s => Assert.Equal(DataBytes, (long)s.SizeSectors << 9));
        Assert.True((await engine.ExecuteAsync(new AdminCommand.Down())).Succeeded);
    }

    private static ResourceEngine Start(VolumeDisk[] disks) => ResourceEngine.Start(
        new ResourceEngineOptions
        {
            Resource = new ResourceOptions
            {
                Name = "x",
                Volumes = [.. disks.Select(d => new VolumeOptions { Number = d.Volume, Minor = d.Volume })],
            },
            Disks = disks,
        },
        NullLogger.Instance);

    private string Make(string name, long bytes)
    {
        var path = Path.Combine(_directory, name);
        using var file = File.Create(path);
        file.SetLength(bytes);
        return path;
    }

    private static void CreateMeta(VolumeDisk disk)
    {
        var metaBytes = new FileInfo(disk.MetaDiskPath!).Length;
        var facts =
            new BackingDisk((ulong)DataBytes >> 9, (ulong)metaBytes >> 9, disk.Kind, disk.MetaIndex, 512, true, true);
        var layout = MetaDataLayout.Compute(facts, 1, 8, out var error);
        Assert.True(layout is not null, $"no layout: {error}");
        using var file = File.OpenHandle(disk.MetaDiskPath!, FileMode.Open, FileAccess.ReadWrite);
        foreach (var step in CreateMetaData.Steps(layout, CreateMetaData.NewSuperBlock(layout)).Where(
            step => !step.IsFlush))
        {
            RandomAccess.Write(file, step.Data.Span, step.Offset);
        }
    }
}
