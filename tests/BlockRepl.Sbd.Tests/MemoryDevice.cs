namespace BlockRepl.Sbd.Tests;

/// <summary>A device in memory that carries procedures out at once, or fails as told.</summary>
internal sealed class MemoryDevice(int sectorSize = 512, int sectors = (int)SlotLayout.SectorCount)
{
    private readonly byte[] _bytes = new byte[sectorSize * sectors];

    /// <summary>Decides about each step, before it is done.</summary>
    public Func<DeviceStep, SectorError> Fault { get; set; } = _ => SectorError.None;

    /// <summary>Called when a procedure waits.</summary>
    public Action Waiting { get; set; } = () => { };

    public List<DeviceStep> Steps { get; } = [];

    public Exchange Exchange { get; } = new(sectorSize);

    public byte[] Bytes => _bytes;

    public static MemoryDevice FromImage(byte[] image, int sectorSize)
    {
        var device = new MemoryDevice(sectorSize, image.Length / sectorSize);
        image.CopyTo(device._bytes, 0);
        return device;
    }

    public Span<byte> Sector(long sector) => _bytes.AsSpan((int)(sector * sectorSize), sectorSize);

    public void Run(IEnumerable<DeviceStep> procedure)
    {
        foreach (var step in procedure)
        {
            Steps.Add(step);
            if (step.Kind == StepKind.ReadSlots)
            {
                ReadSlots(step);
                continue;
            }

            Exchange.Error = Fault(step);
            if (step.Kind == StepKind.Wait)
            {
                Waiting();
            }
            else if (!Exchange.Failed)
            {
                Carry(step);
            }
        }
    }

    /// <summary>A table whose header is read.</summary>
    public SlotTable Open()
    {
        var table = new SlotTable(Exchange);
        Run(table.ReadHeader());
        return table;
    }

    /// <summary>Each sector is a read of its own, also to what decides about faults.</summary>
    private void ReadSlots(DeviceStep step)
    {
        for (Exchange.SlotsRead = 0; Exchange.SlotsRead < step.Count; Exchange.SlotsRead++)
        {
            var read = DeviceStep.Read(step.Sector + (Exchange.SlotsRead * SlotLayout.SlotStride));
            Exchange.Error = Fault(read);
            if (!Exchange.Failed)
            {
                Carry(read);
            }

            if (Exchange.Failed)
            {
                return;
            }

            Exchange.Sector.CopyTo(Exchange.Slots.AsSpan(Exchange.SlotsRead * sectorSize));
        }
    }

    private void Carry(DeviceStep step)
    {
        if ((step.Sector + 1) * sectorSize > _bytes.Length)
        {
            Exchange.Error = SectorError.Failed;
        }
        else if (step.Kind == StepKind.Read)
        {
            Sector(step.Sector).CopyTo(Exchange.Sector);
        }
        else
        {
            Exchange.Sector.CopyTo(Sector(step.Sector));
        }
    }
}
