"""Indonesian: what every figure is called and what exactly it counts, by section and measure. The same keys stand in both languages."""

from __future__ import annotations

from .phrases import FigureWords

SECTIONS: dict[str, str] = {
    "needs": "Perlu tindakan",
    "health": "Kesehatan",
    "orders": "Pesanan",
    "parcels": "Paket",
    "returns": "Pengembalian",
    "stock": "Stok",
    "entered": "Dimasukkan orang",
    "money": "Uang",
    "products": "Produk",
    "scorecard": "Rapor kanal",
    "routine": "Disiplin kerja",
    "differences": "Beda angka",
    "pushes": "Stok terkirim",
    "proof": "Bukti",
}

FIGURES: dict[str, FigureWords] = {
    "needs.total": FigureWords("Hal yang terbuka", "Temuan yang terbuka sekarang."),
    "needs.opened": FigureWords("Baru", "Temuan yang dibuka dalam periode ini."),
    "needs.closed": FigureWords("Selesai", "Temuan yang ditutup dalam periode ini."),
    "health.exposed_p50": FigureWords(
        "Diketahui setelah (p50)",
        "Dari pesanan dibuat sampai kanal lain menerima angka yang sudah memuatnya; separuhnya lebih cepat.",
    ),
    "health.exposed_p95": FigureWords(
        "Diketahui setelah (p95)",
        "Dari pesanan dibuat sampai kanal lain menerima angka yang sudah memuatnya; 95 dari 100 lebih cepat.",
    ),
    "health.heard_p50": FigureWords(
        "Terlihat setelah (p50)", "Dari pesanan dibuat sampai terlihat di sini; separuhnya lebih cepat."
    ),
    "health.heard_p95": FigureWords(
        "Terlihat setelah (p95)", "Dari pesanan dibuat sampai terlihat di sini; 95 dari 100 lebih cepat."
    ),
    "health.posted_p50": FigureWords(
        "Tercatat setelah (p50)", "Dari terlihat sampai tercatat di buku; separuhnya lebih cepat."
    ),
    "health.posted_p95": FigureWords(
        "Tercatat setelah (p95)", "Dari terlihat sampai tercatat di buku; 95 dari 100 lebih cepat."
    ),
    "health.accepted_p50": FigureWords(
        "Diterima setelah (p50)",
        "Dari tercatat di buku sampai kanal lain menerimanya; separuhnya lebih cepat.",
    ),
    "health.accepted_p95": FigureWords(
        "Diterima setelah (p95)",
        "Dari tercatat di buku sampai kanal lain menerimanya; 95 dari 100 lebih cepat.",
    ),
    "health.waiting": FigureWords("Masih menunggu", "Penjualan yang belum diterima kanal lain."),
    "health.not_needed": FigureWords("Tidak perlu", "Penjualan yang tidak mengubah angka di kanal lain."),
    "health.requests": FigureWords(
        "Panggilan", "Panggilan ke kanal pada hari kuota (UTC) yang dimulai dalam periode ini."
    ),
    "orders.orders": FigureWords("Pesanan masuk", "Pesanan yang dibuat pembeli dalam periode ini menurut jam kanal."),
    "orders.units": FigureWords(
        "Unit", "Unit yang dipesan; pesanan batal, belum dibayar, dan unit batal tidak dihitung."
    ),
    "orders.revenue": FigureWords(
        "Nilai barang", "Harga barang tanpa ongkos kirim; pesanan batal dan belum dibayar tidak dihitung."
    ),
    "orders.revenue_unknown": FigureWords(
        "Tanpa harga", "Pesanan yang harganya tidak lengkap; tidak ada dalam nilai barang."
    ),
    "orders.cancelled": FigureWords("Batal", "Pesanan dari periode ini yang sekarang batal."),
    "orders.unpaid": FigureWords("Belum dibayar", "Pesanan dari periode ini yang sekarang belum dibayar."),
    "orders.cancelled_from_before": FigureWords(
        "Batal, masuk sebelumnya", "Pesanan dari sebelum periode ini yang batal di dalamnya."
    ),
    "orders.returned": FigureWords("Diretur", "Unit yang pengembaliannya dibuka dalam periode ini."),
    "parcels.booked": FigureWords("Kurir dipesan", "Paket yang kurirnya dipesan dalam periode ini."),
    "parcels.handed_over": FigureWords("Diserahkan", "Paket yang diambil kurir dalam periode ini."),
    "parcels.handed_over_late": FigureWords("Diserahkan terlambat", "Paket yang diambil kurir setelah batas kirim."),
    "parcels.delivered": FigureWords("Sampai", "Paket yang sampai dalam periode ini."),
    "parcels.waiting_waybill": FigureWords("Menunggu resi", "Paket terpesan yang belum punya resi sekarang."),
    "parcels.trouble": FigureWords(
        "Terhenti atau kembali", "Paket yang terhenti, kembali, atau tidak terbaca sekarang."
    ),
    "parcels.late": FigureWords("Terlambat", "Yang masih di rak setelah batas kirim, sekarang."),
    "parcels.due_today": FigureWords("Harus hari ini", "Yang harus diserahkan hari ini."),
    "parcels.stuck": FigureWords("Pemesanan belum jelas", "Pemesanan kurir yang hasilnya belum diketahui sekarang."),
    "parcels.troubled": FigureWords("Masalah di jalan", "Paket di jalan yang perlu orang sekarang."),
    "returns.opened": FigureWords("Baru", "Unit yang pengembaliannya dibuka dalam periode ini."),
    "returns.received": FigureWords(
        "Diterima", "Unit dari pengembalian yang paket pertamanya diterima dalam periode ini."
    ),
    "returns.sellable": FigureWords("Layak jual", "Unit yang dinilai layak jual dalam periode ini."),
    "returns.damaged": FigureWords("Rusak", "Unit yang dinilai rusak dalam periode ini."),
    "returns.lost": FigureWords("Hilang", "Unit yang dinyatakan hilang dalam periode ini."),
    "returns.awaited": FigureWords("Masih ditunggu", "Unit yang belum datang sekarang."),
    "returns.ungraded": FigureWords("Belum diperiksa", "Unit yang sudah datang dan belum diperiksa sekarang."),
    "returns.open": FigureWords("Belum selesai", "Pengembalian yang belum selesai sekarang."),
    "returns.ageing": FigureWords("Terlalu lama", "Pengembalian yang belum selesai dan sudah lama terbuka."),
    "stock.skus": FigureWords("SKU terhitung", "SKU yang pernah dihitung orang."),
    "stock.short": FigureWords("SKU terjual lebih", "SKU dan gudang dengan stok di bawah nol sekarang."),
    "stock.short_units": FigureWords("Unit terjual lebih", "Unit yang terjual melebihi stok sekarang."),
    "stock.sold_out": FigureWords("Habis", "SKU terhitung yang masih dijual dan tersedia nol sekarang."),
    "stock.below_reorder": FigureWords("Perlu dibeli lagi", "SKU pada atau di bawah titik pesan ulangnya sekarang."),
    "stock.overstock": FigureWords("Terlalu banyak", "SKU yang stoknya lebih dari yang akan terjual."),
    "stock.dead": FigureWords("Tidak laku", "SKU yang ada stoknya dan lama tidak terjual."),
    "stock.value": FigureWords("Nilai stok", "Unit tersedia dikali modal terbaru."),
    "stock.value_unknown": FigureWords("SKU tanpa modal", "SKU yang ada stoknya dan modalnya tidak diketahui."),
    "stock.available": FigureWords("Tersedia", "Unit tersedia sekarang: semua gerakan dijumlahkan."),
    "stock.sold": FigureWords("Terjual", "Unit yang diambil pesanan pada hari-hari terakhir periode ini."),
    "entered.documents": FigureWords("Dokumen", "Dokumen yang dimasukkan orang dalam periode ini."),
    "entered.units_in": FigureWords("Unit masuk", "Unit yang masuk rak karena dokumen itu."),
    "entered.units_out": FigureWords("Unit keluar", "Unit yang keluar rak karena dokumen itu."),
    "money.settlements": FigureWords("Pencairan", "Pencairan dana menurut waktu cairnya dalam periode ini."),
    "money.net": FigureWords("Diterima", "Jumlah bersih yang dicairkan kanal."),
    "money.sale": FigureWords("Penjualan", "Harga barang dikurangi diskon dan voucher Anda."),
    "money.shipping": FigureWords("Selisih ongkir", "Ongkir dari pembeli dan kanal dikurangi yang diambil kurir."),
    "money.fees": FigureWords("Biaya kanal", "Komisi, layanan, pajak, asuransi, dan iklan yang dipotong."),
    "money.refunds": FigureWords("Dikembalikan ke pembeli", "Uang yang dikembalikan ke pembeli."),
    "money.other": FigureWords("Lainnya", "Koreksi, dan bagian dengan nama yang belum dikenal."),
    "money.unexplained": FigureWords("Tanpa rincian", "Yang tidak dijelaskan oleh rincian kanal."),
    "money.cost": FigureWords(
        "Modal barang",
        "Modal unit yang diambil, saat pesanan masuk; dihitung pada pencairan pertama pesanan, dikurangi yang kembali layak jual.",
    ),
    "money.cost_unknown": FigureWords("Tanpa modal", "Pencairan yang modal barangnya tidak diketahui."),
    "money.margin": FigureWords(
        "Margin", "Yang diterima dikurangi modal barang, hanya untuk pencairan yang modalnya diketahui."
    ),
    "money.margin_unknown": FigureWords("Tanpa margin", "Pencairan yang marginnya tidak diketahui."),
    "money.units": FigureWords("Unit", "Unit yang modalnya dihitung pada pencairan ini."),
    "money.courier_parcels": FigureWords(
        "Paket", "Paket yang dipesan pada kurir sendiri dalam periode ini dan tidak batal."
    ),
    "money.courier_paid": FigureWords(
        "Dibayar pembeli", "Ongkir yang dibayar pembeli untuk paket itu, satu kali per pesanan."
    ),
    "money.courier_paid_unknown": FigureWords("Ongkir tidak diketahui", "Pesanan yang ongkirnya tidak diketahui."),
    "money.courier_charged": FigureWords("Ditagih kurir", "Yang ditagih kurir, setelah ditimbang ulang."),
    "money.courier_charged_unknown": FigureWords("Tagihan tidak diketahui", "Paket yang tagihannya tidak diketahui."),
    "products.sold": FigureWords("SKU terjual", "SKU yang terjual dalam periode ini."),
    "products.unpriced": FigureWords("Unit tanpa harga", "Unit yang terjual dengan harga yang tidak diketahui."),
    "products.units": FigureWords(
        "Unit terjual", "Unit SKU ini dalam pesanan periode ini; batal dan belum dibayar tidak dihitung."
    ),
    "scorecard.margin": FigureWords("Margin dari penjualan", "Margin dibagi penjualan yang dicairkan."),
    "scorecard.fees": FigureWords("Biaya dari penjualan", "Biaya kanal dibagi penjualan yang dicairkan."),
    "scorecard.cancelled": FigureWords("Pesanan batal", "Pesanan batal dibagi pesanan masuk."),
    "scorecard.returned": FigureWords("Unit diretur", "Unit diretur dibagi unit terjual."),
    "routine.handed_over": FigureWords("Diserahkan", "Paket yang diambil kurir dalam periode ini."),
    "routine.handed_over_late": FigureWords("Diserahkan terlambat", "Paket yang diambil kurir setelah batas kirim."),
    "routine.late_now": FigureWords("Masih terlambat", "Yang masih di rak setelah batas kirim, sekarang."),
    "routine.counts": FigureWords("Hitung stok", "Hitung stok yang dimasukkan dalam periode ini."),
    "routine.adjustments": FigureWords("Penyesuaian", "Penyesuaian stok yang dimasukkan orang dalam periode ini."),
    "routine.adopted": FigureWords("Angka kanal diambil", "Penyesuaian yang mengambil angka kanal."),
    "routine.zero_agreed": FigureWords(
        "Nol mendadak diselesaikan", "Peringatan nol mendadak yang selesai dalam periode ini."
    ),
    "routine.overwritten": FigureWords("Ditimpa", "Angka kanal yang ditimpa dengan angka kita."),
    "routine.ageing_returns": FigureWords(
        "Pengembalian lama", "Pengembalian yang belum selesai dan sudah lama terbuka."
    ),
    "differences.compared": FigureWords("Dibandingkan", "Angka di kanal yang dibandingkan dalam periode ini."),
    "differences.not_comparable": FigureWords(
        "Tidak bisa dibandingkan", "Angka yang tidak dapat dibandingkan dengan pasti."
    ),
    "differences.found": FigureWords("Beda", "Perbedaan yang ditemukan dalam periode ini."),
    "differences.open": FigureWords("Masih terbuka", "Perbedaan yang terbuka sekarang."),
    "pushes.sent": FigureWords("Dikirim", "Angka yang dikirim ke kanal dalam periode ini."),
    "pushes.applied": FigureWords("Diterima", "Angka yang diterima kanal."),
    "pushes.refused": FigureWords("Ditolak", "Angka yang ditolak kanal."),
    "pushes.unclear": FigureWords("Tidak jelas", "Angka yang tidak jelas diterima atau tidak."),
    "pushes.open": FigureWords("Belum dijawab", "Angka yang belum dijawab kanal."),
    "proof.movements": FigureWords("Gerakan", "Gerakan di buku."),
    "proof.balances": FigureWords("Saldo", "Saldo di buku."),
    "proof.sealed": FigureWords("Tersegel", "Gerakan yang sudah disegel."),
    "proof.orders": FigureWords("Pesanan", "Pesanan di buku."),
    "proof.order_lines": FigureWords("Baris pesanan", "Baris pesanan di buku."),
    "proof.skus": FigureWords("SKU", "SKU di buku."),
    "proof.listings": FigureWords("Produk di kanal", "Produk di kanal yang dikenal buku."),
    "proof.counts": FigureWords("Hitung stok", "Hitung stok yang pernah dimasukkan."),
    "proof.on_channel": FigureWords("Di kanal", "Pesanan periode ini menurut daftar kedua dari kanal."),
    "proof.in_ledger": FigureWords("Di buku", "Pesanan itu yang ada di buku saat dihitung."),
    "proof.missing": FigureWords("Tidak ada di buku", "Pesanan di kanal yang masih tidak ada di buku."),
    "proof.repaired": FigureWords("Dilengkapi", "Pesanan yang dilengkapi setelah dihitung."),
    "proof.oversold_units": FigureWords(
        "Unit terjual dua kali", "Unit yang terjual melebihi stok oleh pesanan periode ini."
    ),
}
